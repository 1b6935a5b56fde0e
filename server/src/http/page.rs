use std::ops::RangeInclusive;

use predilect_api::FieldError;
use serde::{Deserialize, Deserializer, de::Error};

use super::error::ApiError;
use crate::parse::whole;

const DEFAULT: u32 = 20;
const MAX: u32 = 100;
/// How many of a list may be passed over.
pub(super) const OFFSETS: RangeInclusive<u32> = 0..=u32::MAX;

/// How much of a list is asked for at a time.
#[derive(Clone, Copy)]
pub(super) struct PageLimit(u32);

impl PageLimit {
    /// 1 to 100, and 20 when left out.
    ///
    /// # Errors
    /// What is allowed, under the name `limit`.
    pub(super) fn parse(asked: Option<i64>) -> Result<Self, ApiError> {
        let limit = asked.map_or(Ok(DEFAULT), |limit| whole(limit, 1..=MAX));
        limit
            .map(Self)
            .map_err(|message| ApiError::field("limit", message))
    }

    /// What to read where the total is known.
    pub(super) fn exactly(self) -> u32 {
        self.0
    }

    /// What to read: one more than asked tells whether there is a next page.
    pub(super) fn with_one_more(self) -> u32 {
        self.0 + 1
    }

    /// Cuts off the one more; returns the id of the last row where another page follows it.
    pub(super) fn cut<T, Id>(self, rows: &mut Vec<T>, id: impl FnOnce(&T) -> Id) -> Option<Id> {
        let more = rows.len() > self.0 as usize;
        rows.truncate(self.0 as usize);
        rows.last().filter(|_| more).map(id)
    }
}

/// The `limit` of a query: any whole number, of which [`PageLimit::parse`] says whether it is
/// allowed. What is none hears all that is.
pub(super) fn limit<'de, D: Deserializer<'de>>(query: D) -> Result<Option<i64>, D::Error> {
    number(query, 1..=MAX)
}

/// The `offset` of a query, in the same way; [`whole`] says whether it is within [`OFFSETS`].
pub(super) fn offset<'de, D: Deserializer<'de>>(query: D) -> Result<Option<i64>, D::Error> {
    number(query, OFFSETS)
}

fn number<'de, D: Deserializer<'de>>(
    query: D,
    allowed: RangeInclusive<u32>,
) -> Result<Option<i64>, D::Error> {
    let asked = String::deserialize(query)?;
    asked.parse().map(Some).map_err(|_| {
        let (least, most) = allowed.into_inner();
        D::Error::custom(format!("must be a whole number from {least} to {most}"))
    })
}

/// The refusal of a `before` that is the id of nothing: an empty page would look like the end.
pub(super) fn unknown_before() -> ApiError {
    ApiError::UnknownReference(FieldError {
        field: "before".into(),
        message: "must be the `next` of the page before".into(),
    })
}
