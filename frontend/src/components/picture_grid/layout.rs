//! Where in the grid each picture is.

use std::ops::Range;

/// Least width of a picture, and the gap between two, in CSS pixels.
const LEAST: f64 = 132.0;
const GAP: f64 = 10.0;
/// Rows that are ready above and below what is seen.
const BEYOND: u32 = 2;

/// Square pictures in rows, as many in each as there is room for.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Layout {
    pub(super) columns: u32,
    /// Side of a picture in CSS pixels.
    pub(super) side: f64,
}

impl Layout {
    /// For a grid of this width in CSS pixels.
    pub(super) fn of(width: f64) -> Self {
        let columns = ((width + GAP) / (LEAST + GAP)).floor().max(2.0);
        Self {
            columns: columns as u32,
            side: (width - GAP * (columns - 1.0)) / columns,
        }
    }

    fn row_height(self) -> f64 {
        self.side + GAP
    }

    /// Height of `total` pictures in CSS pixels.
    pub(super) fn height(self, total: u32) -> f64 {
        let rows = total.div_ceil(self.columns);
        (f64::from(rows) * self.row_height() - GAP).max(0.0)
    }

    /// Left and upper edge of a picture in CSS pixels.
    pub(super) fn place(self, index: u32) -> (f64, f64) {
        let (row, column) = (index / self.columns, index % self.columns);
        (
            f64::from(column) * self.row_height(),
            f64::from(row) * self.row_height(),
        )
    }

    /// The pictures to have ready where `above` pixels of the grid are over the window's upper
    /// edge and the window is `window` pixels high.
    pub(super) fn window(self, total: u32, above: f64, window: f64) -> Range<u32> {
        // `as` takes what is below 0 for 0.
        let first = ((above / self.row_height()) as u32).saturating_sub(BEYOND);
        let last = ((above + window) / self.row_height()) as u32 + 1 + BEYOND;
        let index = |row: u32| row.saturating_mul(self.columns).min(total);
        index(first)..index(last)
    }

    /// Where a key leads from a picture; `None` where it leads nowhere or means nothing.
    pub(super) fn step(self, index: u32, key: &str, total: u32) -> Option<u32> {
        let to = match key {
            "ArrowLeft" => index.checked_sub(1),
            "ArrowRight" => index.checked_add(1),
            "ArrowUp" => index.checked_sub(self.columns),
            "ArrowDown" => index.checked_add(self.columns),
            "Home" => Some(0),
            "End" => total.checked_sub(1),
            _ => None,
        };
        to.filter(|to| *to < total)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_phone_has_two_columns_and_a_desk_many() {
        assert_eq!(Layout::of(288.0).columns, 2);
        let wide = Layout::of(1080.0);
        assert_eq!(wide.columns, 7);
        let (left, _) = wide.place(6);
        assert!((left + wide.side - 1080.0).abs() < 0.01);
    }

    #[test]
    fn only_a_few_of_ten_thousand_pictures_are_ready() {
        let layout = Layout::of(1080.0);
        let window = layout.window(10_000, 50_000.0, 800.0);
        assert!(window.len() < 80, "{window:?}");
        let (_, top) = layout.place(window.start);
        let (_, bottom) = layout.place(window.end);
        assert!(top < 50_000.0 && bottom > 50_800.0);
        assert_eq!(layout.window(10_000, -300.0, 800.0).start, 0);
        assert_eq!(layout.window(3, 0.0, 800.0), 0..3);
        assert_eq!(layout.window(0, 0.0, 800.0), 0..0);
    }

    #[test]
    fn keys_lead_to_neighbours_and_never_out() {
        let layout = Layout::of(288.0);
        assert_eq!(layout.step(0, "ArrowRight", 5), Some(1));
        assert_eq!(layout.step(0, "ArrowDown", 5), Some(2));
        assert_eq!(layout.step(0, "ArrowUp", 5), None);
        assert_eq!(layout.step(4, "ArrowRight", 5), None);
        assert_eq!(layout.step(1, "End", 5), Some(4));
        assert_eq!(layout.step(1, "a", 5), None);
    }
}
