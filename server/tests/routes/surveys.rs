use std::io::Cursor;

use predilect_api::{
    BlindItem, Generation, GenerationList, Survey, SurveyProgress, SurveyResults, SurveyState,
};
use reqwest::StatusCode;
use serde_json::{Value, json};
use zip::ZipArchive;

use crate::support::{Person, TestServer};

/// A survey of pictures drawn with and without guidance, with as many items as asked.
async fn draft(admin: &Person, items: usize, change: impl FnOnce(&mut Value)) -> Survey {
    let mut body = json!({
        "name": "Guidance",
        "arms": ["guided", "plain"],
        "audience": "everyone",
        "target_votes": 100,
        "attention_every": 0,
    });
    change(&mut body);
    let survey: Survey = admin
        .post("/api/v1/admin/surveys", &body)
        .await
        .expect_status(StatusCode::CREATED)
        .read();
    for n in 0..items {
        add_item(admin, &survey, n).await;
    }
    survey
}

async fn add_item(admin: &Person, survey: &Survey, n: usize) {
    // The test model hardly minds guidance; seeds are what makes the pictures differ.
    let draw = async |guidance: u32, seed: usize| {
        let prompt = format!("dog {n}");
        let body = json!({"prompt": prompt, "steps": 1, "seed": seed, "guidance": guidance});
        admin.drawn(&body).await.images.remove(0).id
    };
    let (guided, plain) = (draw(4, n).await, draw(1, 100 + n).await);
    let group = if n.is_multiple_of(2) { "even" } else { "odd" };
    let body = json!({"group": group, "pictures": [
        {"arm": "guided", "image": guided},
        {"arm": "plain", "image": plain},
    ]});
    admin
        .post(&format!("/api/v1/admin/surveys/{}/items", survey.id), &body)
        .await
        .expect_status(StatusCode::CREATED);
}

async fn change(admin: &Person, survey: &Survey, state: &str) -> crate::support::Answer {
    let path = format!("/api/v1/admin/surveys/{}", survey.id);
    admin.patch(&path, &json!({"state": state})).await
}

async fn running(admin: &Person, items: usize, edit: impl FnOnce(&mut Value)) -> Survey {
    let survey = draft(admin, items, edit).await;
    change(admin, &survey, "running")
        .await
        .expect_status(StatusCode::OK)
        .read()
}

async fn next(person: &Person, survey: &Survey) -> BlindItem {
    person
        .get(&format!("/api/v1/surveys/{}/next", survey.id))
        .await
        .expect_status(StatusCode::OK)
        .read()
}

async fn vote(
    person: &Person,
    survey: &Survey,
    item: &BlindItem,
    vote: &str,
) -> crate::support::Answer {
    let body = json!({"item_id": item.item_id, "vote": vote});
    person
        .post(&format!("/api/v1/surveys/{}/votes", survey.id), &body)
        .await
}

async fn results(admin: &Person, survey: &Survey, query: &str) -> SurveyResults {
    admin
        .get(&format!(
            "/api/v1/admin/surveys/{}/results{query}",
            survey.id
        ))
        .await
        .expect_status(StatusCode::OK)
        .read()
}

async fn export(admin: &Person, survey: &Survey, format: &str) -> String {
    let path = format!("/api/v1/admin/surveys/{}/votes?format={format}", survey.id);
    let answer = admin.get(&path).await.expect_status(StatusCode::OK);
    String::from_utf8(answer.body).unwrap()
}

/// The side of the picture that an admin knows to be of this arm.
/// The pictures of the arm `guided`, as participants see them, by the number in their prompt.
async fn guided_pictures(admin: &Person, items: usize) -> Vec<Vec<u8>> {
    let drawn: GenerationList = admin.get("/api/v1/generations?limit=100").await.read();
    let mut pictures = vec![];
    for n in 0..items {
        let prompt = format!("dog {n}");
        let guided = |g: &&Generation| g.prompt == prompt && g.guidance == 4.0;
        let url = &drawn.generations.iter().find(guided).unwrap().images[0].url;
        pictures.push(admin.get(&format!("{url}?format=webp")).await.body);
    }
    pictures
}

async fn side_of(person: &Person, item: &BlindItem, known: &[u8]) -> &'static str {
    let left = person.get(&item.left).await.expect_status(StatusCode::OK);
    if left.body == known { "left" } else { "right" }
}

#[tokio::test]
async fn a_survey_says_which_fields_are_not_allowed() {
    let server = TestServer::start().await;
    let admin = server.admin().await;
    let problem = admin
        .post(
            "/api/v1/admin/surveys",
            &json!({"name": "", "arms": ["a", "a"], "audience": "everyone",
                    "target_votes": 0, "daily_cap": 0, "attention_every": -1}),
        )
        .await
        .expect_problem(StatusCode::UNPROCESSABLE_ENTITY, "invalid-request");
    let fields: Vec<_> = problem["errors"]
        .as_array()
        .unwrap()
        .iter()
        .map(|e| e["field"].clone())
        .collect();
    assert_eq!(
        fields,
        [
            "name",
            "arms[1]",
            "target_votes",
            "daily_cap",
            "attention_every"
        ]
    );
}

#[tokio::test]
async fn a_survey_goes_from_draft_to_closed_and_not_back() {
    let server = TestServer::start().await;
    let (admin, person) = (server.admin().await, server.person().await);
    let survey = draft(&admin, 0, |_| {}).await;
    assert_eq!(survey.state, SurveyState::Draft);
    let next_path = format!("/api/v1/surveys/{}/next", survey.id);
    change(&admin, &survey, "running")
        .await
        .expect_problem(StatusCode::CONFLICT, "survey-state");
    add_item(&admin, &survey, 0).await;
    person
        .get(&next_path)
        .await
        .expect_problem(StatusCode::NOT_FOUND, "not-found");
    for (state, refused) in [
        ("paused", true),
        ("running", false),
        ("draft", true),
        ("paused", false),
    ] {
        let answer = change(&admin, &survey, state).await;
        assert_eq!(answer.status == StatusCode::CONFLICT, refused, "{state}");
    }
    person
        .get(&next_path)
        .await
        .expect_problem(StatusCode::CONFLICT, "survey-not-running");
    change(&admin, &survey, "running")
        .await
        .expect_status(StatusCode::OK);
    next(&person, &survey).await;
    change(&admin, &survey, "closed")
        .await
        .expect_status(StatusCode::OK);
    change(&admin, &survey, "running")
        .await
        .expect_problem(StatusCode::CONFLICT, "survey-state");
}

#[tokio::test]
async fn items_are_blind_and_their_sides_random() {
    let server = TestServer::start().await;
    let admin = server.admin().await;
    let survey = running(&admin, 1, |_| {}).await;
    let mut lefts = vec![];
    for _ in 0..16 {
        let person = server.person().await;
        let item = next(&person, &survey).await;
        assert_eq!(
            item,
            next(&person, &survey).await,
            "the same until voted on"
        );
        assert_eq!(item.prompt, "dog 0");
        for url in [&item.left, &item.right] {
            assert!(!url.contains("guided") && !url.contains("plain"), "{url}");
            let picture = person.get(url).await.expect_status(StatusCode::OK);
            assert_eq!(picture.header("content-type"), "image/webp");
            server
                .person()
                .await
                .get(url)
                .await
                .expect_problem(StatusCode::NOT_FOUND, "not-found");
        }
        lefts.push(person.get(&item.left).await.body);
    }
    // One side sixteen times over happens once in 2^15.
    assert!(lefts.iter().any(|left| *left != lefts[0]));
}

#[tokio::test]
async fn each_item_takes_one_vote_and_then_there_is_nothing_left() {
    let server = TestServer::start().await;
    let admin = server.admin().await;
    let survey = running(&admin, 2, |_| {}).await;
    let (person, other) = (server.person().await, server.person().await);
    let first = next(&person, &survey).await;
    let progress: SurveyProgress = vote(&person, &survey, &first, "left")
        .await
        .expect_status(StatusCode::OK)
        .read();
    assert_eq!((progress.votes, progress.votes_left_today), (1, 49));
    vote(&person, &survey, &first, "right")
        .await
        .expect_problem(StatusCode::CONFLICT, "already-voted");
    vote(&other, &survey, &first, "right")
        .await
        .expect_problem(StatusCode::NOT_FOUND, "not-found");
    let second = next(&person, &survey).await;
    assert_ne!(first.prompt, second.prompt);
    vote(&person, &survey, &second, "neither")
        .await
        .expect_field_error(StatusCode::UNPROCESSABLE_ENTITY, "invalid-request", "vote");
    vote(&person, &survey, &second, "both_bad")
        .await
        .expect_status(StatusCode::OK);
    person
        .get(&format!("/api/v1/surveys/{}/next", survey.id))
        .await
        .expect_status(StatusCode::NO_CONTENT);
}

#[tokio::test]
async fn votes_go_along_into_an_account_and_go_with_it() {
    let server = TestServer::start().await;
    let admin = server.admin().await;
    let survey = running(&admin, 1, |_| {}).await;
    server.person().await.register("Ana", "correct horse").await;
    let person = server.person().await;
    let item = next(&person, &survey).await;
    vote(&person, &survey, &item, "left")
        .await
        .expect_status(StatusCode::OK);
    person
        .log_in("Ana", "correct horse")
        .await
        .expect_status(StatusCode::OK);
    person
        .get(&format!("/api/v1/surveys/{}/next", survey.id))
        .await
        .expect_status(StatusCode::NO_CONTENT);
    assert_eq!(results(&admin, &survey, "").await.votes, 1);
    let archive = person
        .get("/api/v1/account/data")
        .await
        .expect_status(StatusCode::OK);
    let mut archive = ZipArchive::new(Cursor::new(&archive.body)).unwrap();
    let data: Value = serde_json::from_reader(archive.by_name("data.json").unwrap()).unwrap();
    let own = &data["survey_votes"][0];
    assert_eq!(
        (&own["prompt"], &own["vote"]),
        (&json!("dog 0"), &json!("left"))
    );
    person
        .post(
            "/api/v1/account/deletion",
            &json!({"password": "correct horse"}),
        )
        .await
        .expect_status(StatusCode::NO_CONTENT);
    assert_eq!(results(&admin, &survey, "").await.votes, 0);
}

#[tokio::test]
async fn an_account_that_voted_on_the_same_item_keeps_its_own_vote() {
    let server = TestServer::start().await;
    let admin = server.admin().await;
    let survey = running(&admin, 1, |_| {}).await;
    let (here, there) = (server.person().await, server.person().await);
    here.register("Ana", "correct horse").await;
    for (person, choice) in [(&here, "both_bad"), (&there, "tie")] {
        let item = next(person, &survey).await;
        vote(person, &survey, &item, choice)
            .await
            .expect_status(StatusCode::OK);
    }
    there
        .log_in("Ana", "correct horse")
        .await
        .expect_status(StatusCode::OK);
    let found = results(&admin, &survey, "").await;
    let counts = &found.win_rates[0];
    assert_eq!((found.votes, counts.both_bad, counts.ties), (1, 1, 0));
}

#[tokio::test]
async fn a_day_and_a_survey_have_their_limits() {
    let server = TestServer::start().await;
    let admin = server.admin().await;
    let survey = running(&admin, 3, |body| {
        body["daily_cap"] = json!(1);
        body["target_votes"] = json!(2);
        body["audience"] = json!("registered");
    })
    .await;
    let path = format!("/api/v1/surveys/{}/next", survey.id);
    for name in ["Ana", "Bo"] {
        let person = server.person().await;
        person
            .get(&path)
            .await
            .expect_problem(StatusCode::CONFLICT, "not-registered");
        person.register(name, "correct horse").await;
        let item = next(&person, &survey).await;
        assert_eq!(item.votes_left_today, 1);
        vote(&person, &survey, &item, "tie")
            .await
            .expect_status(StatusCode::OK);
        let refused = person.get(&path).await;
        assert!(refused.header("retry-after").parse::<u64>().unwrap() <= 86_401);
        refused.expect_problem(StatusCode::TOO_MANY_REQUESTS, "daily-cap");
    }
    let late = server.person().await;
    late.register("Cy", "correct horse").await;
    late.get(&path).await.expect_status(StatusCode::NO_CONTENT);
}

#[tokio::test]
async fn known_votes_come_back_as_results_and_exports() {
    let server = TestServer::start().await;
    let admin = server.admin().await;
    let survey = running(&admin, 4, |_| {}).await;
    // What each participant makes of the four items, by prompt; `guided` wins 9 of 12.
    let wins = [
        [true, true, true, false],
        [true, true, false, true],
        [true, true, true, false],
    ];
    let guided = guided_pictures(&admin, 4).await;
    for row in wins {
        let person = server.person().await;
        for _ in 0..4 {
            let item = next(&person, &survey).await;
            let n: usize = item.prompt.strip_prefix("dog ").unwrap().parse().unwrap();
            let side = side_of(&person, &item, &guided[n]).await;
            let choice = match (row[n], side) {
                (true, side) => side,
                (false, "left") => "right",
                _ => "left",
            };
            vote(&person, &survey, &item, choice)
                .await
                .expect_status(StatusCode::OK);
        }
    }
    let found = results(&admin, &survey, "").await;
    assert_eq!((found.votes, found.participants), (12, 3));
    let overall = &found.win_rates[0];
    assert_eq!(
        (overall.arm.as_str(), overall.against.as_deref()),
        ("guided", None)
    );
    assert_eq!((overall.wins, overall.losses), (9, 3));
    let estimate = overall.ties_as_half.as_ref().unwrap();
    assert_eq!((estimate.n, estimate.rate), (12, 0.75));
    // statsmodels.stats.proportion.proportion_confint(9, 12, method="wilson")
    assert!(
        (estimate.wilson.low - 0.467_694).abs() < 1e-6,
        "{estimate:?}"
    );
    assert!(
        (estimate.wilson.high - 0.911_058).abs() < 1e-6,
        "{estimate:?}"
    );
    assert_eq!(estimate.more_votes, Some(4));
    let strengths = found.strengths.as_ref().unwrap();
    assert!((strengths[0].log_odds - strengths[1].log_odds - 3.0_f64.ln()).abs() < 1e-9);
    assert_eq!(found.agreement.as_ref().unwrap().items, 4);
    assert_eq!(
        found,
        results(&admin, &survey, "").await,
        "results don't change by looking"
    );
    let even = results(&admin, &survey, "?group=even").await;
    assert_eq!((even.votes, even.win_rates[0].wins), (6, 5));

    let csv = export(&admin, &survey, "csv").await;
    let lines: Vec<_> = csv.lines().collect();
    assert_eq!(
        lines[0],
        "participant,item,prompt,group,left,right,vote,attention,response_ms,voted_at"
    );
    assert_eq!(lines.len(), 13);
    let rows: Vec<Value> = export(&admin, &survey, "jsonl")
        .await
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let won = rows
        .iter()
        .filter(|row| row[row["vote"].as_str().unwrap()] == "guided")
        .count();
    assert_eq!((rows.len(), won), (12, 9));
    assert_eq!(rows[11]["participant"], 3);
}

#[tokio::test]
async fn an_attention_check_shows_who_does_not_look() {
    let server = TestServer::start().await;
    let admin = server.admin().await;
    let survey = running(&admin, 1, |body| body["attention_every"] = json!(1)).await;
    let person = server.person().await;
    for good in [true, false] {
        let item = next(&person, &survey).await;
        let colours = async |url: &str| {
            let picture = person.get(url).await.body;
            let picture = image::load_from_memory(&picture).unwrap().into_rgb8();
            picture
                .pixels()
                .collect::<std::collections::HashSet<_>>()
                .len()
        };
        let left_is_good = colours(&item.left).await > colours(&item.right).await;
        let choice = if left_is_good == good {
            "left"
        } else {
            "right"
        };
        vote(&person, &survey, &item, choice)
            .await
            .expect_status(StatusCode::OK);
    }
    let found = results(&admin, &survey, "?attentive_only=true").await;
    assert_eq!((found.attention_passed, found.attention_failed), (1, 1));
    assert_eq!(found.votes, 0, "a check is no vote");
    assert!(found.strengths_missing.is_some());
    let csv = export(&admin, &survey, "csv").await;
    assert!(
        csv.contains(",passed,") && csv.contains(",failed,"),
        "{csv}"
    );
}

#[tokio::test]
async fn an_item_is_two_pictures_of_ones_own_of_two_arms_and_one_prompt() {
    let server = TestServer::start().await;
    let (admin, person) = (server.admin().await, server.person().await);
    let survey = draft(&admin, 0, |_| {}).await;
    let image = async |who: &Person, prompt: &str| {
        who.drawn(&json!({"prompt": prompt, "steps": 1}))
            .await
            .images
            .remove(0)
            .id
            .0
    };
    let (dog, same, cat) = (
        image(&admin, "a dog").await,
        image(&admin, "a dog").await,
        image(&admin, "a cat").await,
    );
    let others = image(&person, "a dog").await;
    let path = format!("/api/v1/admin/surveys/{}/items", survey.id);
    let body = |first: (&str, &str), second: (&str, &str)| json!({"pictures": [{"arm": first.0, "image": first.1}, {"arm": second.0, "image": second.1}]});
    let invalid = (StatusCode::UNPROCESSABLE_ENTITY, "invalid-request");
    for (body, (status, kind), field) in [
        (
            body(("guided", &dog), ("guided", &same)),
            invalid,
            "pictures[1].arm",
        ),
        (
            body(("guided", &dog), ("other", &same)),
            invalid,
            "pictures[1].arm",
        ),
        (
            body(("guided", &dog), ("plain", &cat)),
            invalid,
            "pictures[1].image",
        ),
        (json!({"pictures": []}), invalid, "pictures"),
        (
            body(("guided", &dog), ("plain", &others)),
            (StatusCode::NOT_FOUND, "unknown-reference"),
            "pictures[1].image",
        ),
    ] {
        admin
            .post(&path, &body)
            .await
            .expect_field_error(status, kind, field);
    }
    let added: Survey = admin
        .post(&path, &body(("guided", &dog), ("plain", &same)))
        .await
        .expect_status(StatusCode::CREATED)
        .read();
    assert_eq!(added.items, 1);
}
