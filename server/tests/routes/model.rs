use predilect_api::ModelCard;

use crate::support::TestServer;

#[tokio::test]
async fn anybody_may_read_the_model_and_its_limits() {
    let server = TestServer::start().await;
    let card: ModelCard = server.stranger().get("/api/v1/model").await.read();
    assert_eq!(card.picture_size, 128);
    assert_eq!(card.hash.len(), 64);
    assert!(card.preference_adapter);
    assert!(card.max_prompt_chars > 0);
    assert_eq!((card.count.min, card.count.max), (1.0, 8.0));
    assert_eq!((card.guidance.min, card.guidance.max), (0.0, 20.0));
    assert_eq!(
        (card.strength.min, card.strength.max, card.strength.default),
        (0.0, 3.0, 1.0)
    );
    assert!(card.steps.min <= card.steps.default && card.steps.default <= card.steps.max);
}
