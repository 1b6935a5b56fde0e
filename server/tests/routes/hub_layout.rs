//! A folder with the published models' repositories, served as it is.

use std::path::Path;

use predilect_api::{GenerationState, ModelCard, ProfileState};
use serde_json::json;

use crate::support::TestServer;

#[tokio::test]
async fn published_models_draw_and_read_choices_and_say_what_they_lack() {
    let model = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../tests/parity/fixtures/pipeline/official_proportions/model");
    let server = TestServer::start_drawing_with(&model).await;
    let person = server.person().await;
    let card: ModelCard = person.get("/api/v1/model").await.read();
    assert_eq!(card.name, "stable-cascade");
    assert_eq!((card.steps.default, card.guidance.default), (20.0, 4.0));
    assert!(!card.preference_adapter);

    let request = json!({"prompt": "a red apple", "seed": 1, "steps": 2});
    let done = person.drawn(&request).await;
    assert_eq!(done.state, GenerationState::Done);
    // The official latents of 256 positions, in a Stage A that makes two pixels of each.
    let sizes: Vec<_> = done.images.iter().map(|i| (i.width, i.height)).collect();
    assert_eq!(sizes, [(512, 512)]);
    assert_eq!(card.picture_size, 512);

    let profile = person.profile("Calm").await;
    assert_eq!(profile.state, ProfileState::Ready);
    let request =
        json!({"prompt": "a dog", "steps": 1, "profiles": [{"id": profile.id, "weight": 1}]});
    let refused = person.drawn(&request).await;
    assert_eq!(refused.state, GenerationState::Failed);
    let reason = refused.failure.unwrap();
    assert!(reason.contains("preference adapter"), "{reason}");
}
