use std::collections::HashMap;

use serde::Serialize;

use crate::store::CastVote;

/// A vote as a row of an export.
#[derive(Serialize)]
struct Row<'a> {
    /// Numbers participants within this survey by their first vote, from 1; who they are
    /// stays here.
    participant: usize,
    /// Numbers the comparison.
    item: i64,
    prompt: &'a str,
    group: Option<&'a str>,
    left: &'a str,
    right: &'a str,
    vote: &'a str,
    /// Empty but for attention checks: passed or failed.
    attention: Option<&'static str>,
    response_ms: i64,
    voted_at: String,
}

/// Votes as CSV (RFC 4180), with a line of headings.
///
/// # Errors
/// When a row can't be written, which takes a vote of an arm the survey doesn't have.
pub fn csv(votes: &[CastVote], arms: &[String]) -> anyhow::Result<Vec<u8>> {
    let mut writer = csv::Writer::from_writer(vec![]);
    for row in rows(votes, arms) {
        writer.serialize(row?)?;
    }
    Ok(writer.into_inner()?)
}

/// Votes as JSON, one object a line.
///
/// # Errors
/// When a row can't be written, which takes a vote of an arm the survey doesn't have.
pub fn json_lines(votes: &[CastVote], arms: &[String]) -> anyhow::Result<Vec<u8>> {
    let mut bytes = vec![];
    for row in rows(votes, arms) {
        serde_json::to_writer(&mut bytes, &row?)?;
        bytes.push(b'\n');
    }
    Ok(bytes)
}

fn rows<'a>(
    votes: &'a [CastVote],
    arms: &'a [String],
) -> impl Iterator<Item = anyhow::Result<Row<'a>>> {
    let mut numbers: HashMap<&str, usize> = HashMap::new();
    votes.iter().map(move |vote| {
        let next = numbers.len() + 1;
        let arm = |number: u32| {
            arms.get(number as usize)
                .map(String::as_str)
                .ok_or_else(|| anyhow::anyhow!("a vote names arm {number} of {}", arms.len()))
        };
        Ok(Row {
            participant: *numbers.entry(&vote.user_id).or_insert(next),
            item: vote.item,
            prompt: &vote.prompt,
            group: vote.prompt_group.as_deref(),
            left: arm(vote.left_arm)?,
            right: arm(vote.right_arm)?,
            vote: &vote.vote,
            attention: vote
                .passed()
                .map(|passed| if passed { "passed" } else { "failed" }),
            response_ms: vote.response_ms,
            voted_at: vote.when(),
        })
    })
}
