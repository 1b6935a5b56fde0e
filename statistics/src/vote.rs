/// What a participant made of two pictures shown side by side.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Verdict {
    /// The left picture is better.
    Left,
    /// The right picture is better.
    Right,
    /// No difference.
    Tie,
    /// Both are bad: no preference either.
    BothBad,
}

/// One participant's verdict on one item.
///
/// Participants, items and arms are numbers that the caller gives out, from 0 and without
/// gaps; an item is one comparison of the same two pictures, whichever side each was on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Vote {
    /// Who voted.
    pub participant: usize,
    /// On what.
    pub item: usize,
    /// The arm of the left picture.
    pub left: usize,
    /// The arm of the right picture.
    pub right: usize,
    /// What was said.
    pub verdict: Verdict,
    /// Milliseconds from the pictures' appearing to the vote.
    pub response_ms: u32,
}

impl Vote {
    /// The arm that was preferred; none where neither was.
    #[must_use]
    pub fn preferred(&self) -> Option<usize> {
        match self.verdict {
            Verdict::Left => Some(self.left),
            Verdict::Right => Some(self.right),
            Verdict::Tie | Verdict::BothBad => None,
        }
    }

    /// The other arm of a comparison that `arm` is in, and in with another.
    #[must_use]
    pub fn opponent_of(&self, arm: usize) -> Option<usize> {
        match (self.left == arm, self.right == arm) {
            (true, false) => Some(self.right),
            (false, true) => Some(self.left),
            _ => None,
        }
    }

    /// 1 where `arm` won, 0 where it lost, a half where neither did; none where it was not
    /// compared with another arm.
    #[must_use]
    pub fn score_of(&self, arm: usize) -> Option<f64> {
        self.opponent_of(arm)?;
        Some(match self.preferred() {
            Some(preferred) if preferred == arm => 1.0,
            Some(_) => 0.0,
            None => 0.5,
        })
    }
}
