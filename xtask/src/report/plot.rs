//! Small plots as SVG, the same bytes for the same numbers.

/// A range of values, as shares of one: what was found and its interval.
#[derive(Clone, Copy)]
pub(super) struct Whisker {
    pub(super) value: f64,
    /// Low and high end, where there is an interval.
    pub(super) interval: Option<[f64; 2]>,
}

/// A line of a plot with its name.
pub(super) struct Series {
    pub(super) name: String,
    pub(super) points: Vec<Whisker>,
}

/// Colours that people who don't see red or green tell apart (Okabe and Ito, 2008).
const COLOURS: [&str; 4] = ["#0072b2", "#d55e00", "#009e73", "#cc79a7"];
const WIDTH: f64 = 640.0;
/// Left of the plot there are names, or the numbers of the scale.
const LEFT: f64 = 220.0;
const RIGHT: f64 = 20.0;
const ROW: f64 = 28.0;

/// Rates, each on a row with its interval, on a scale from 0 to 100 % with a line at one half.
pub(super) fn rates(title: &str, rows: &[(String, Whisker)]) -> String {
    let (top, bottom) = (40.0, 40.0);
    let height = top + ROW * rows.len() as f64 + bottom;
    let x = |share: f64| LEFT + share * (WIDTH - LEFT - RIGHT);
    let mut svg = Svg::new(height, title);
    for percent in [0, 25, 50, 75, 100] {
        let at = x(f64::from(percent) / 100.0);
        let line = if percent == 50 { "#555" } else { "#ddd" };
        svg.line([at, top], [at, height - bottom], line, 1.0);
        svg.text(
            [at, height - bottom + 18.0],
            "middle",
            &format!("{percent} %"),
        );
    }
    for (i, (name, found)) in rows.iter().enumerate() {
        let y = top + ROW * (i as f64 + 0.5);
        svg.text([LEFT - 10.0, y + 4.0], "end", name);
        if let Some([low, high]) = found.interval {
            svg.line([x(low), y], [x(high), y], COLOURS[0], 2.0);
        }
        svg.dot([x(found.value), y], COLOURS[0]);
    }
    svg.end()
}

/// Lines over places of a scale, with intervals where there are any. `format` writes the values of
/// the upright scale.
pub(super) fn lines(
    title: &str,
    places: &[String],
    series: &[Series],
    format: impl Fn(f64) -> String,
) -> String {
    let (left, top, bottom, height) = (60.0, 40.0, 60.0, 320.0);
    let all = series.iter().flat_map(|one| &one.points);
    let ends = all.flat_map(|point| {
        let [low, high] = point.interval.unwrap_or([point.value; 2]);
        [low, high, point.value]
    });
    let (low, high) = ends.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), value| {
        (low.min(value), high.max(value))
    });
    let (low, high) = match high > low {
        true => (low - 0.05 * (high - low), high + 0.05 * (high - low)),
        false => (low - 0.5, low + 0.5),
    };
    let steps = (places.len().max(2) - 1) as f64;
    let x = |place: f64| left + 20.0 + place / steps * (WIDTH - left - RIGHT - 40.0);
    let y = |value: f64| top + (high - value) / (high - low) * (height - top - bottom);
    let mut svg = Svg::new(height, title);
    for mark in 0..=4 {
        let value = low + f64::from(mark) / 4.0 * (high - low);
        svg.line([left, y(value)], [WIDTH - RIGHT, y(value)], "#ddd", 1.0);
        svg.text([left - 8.0, y(value) + 4.0], "end", &format(value));
    }
    for (i, place) in places.iter().enumerate() {
        svg.text([x(i as f64), height - bottom + 18.0], "middle", place);
    }
    for (number, one) in series.iter().enumerate() {
        let colour = COLOURS[number % COLOURS.len()];
        // A little apart, so that the intervals of two lines don't hide each other.
        let shift = 5.0 * (number as f64 - (series.len() as f64 - 1.0) / 2.0);
        let at = |i: usize, value: f64| [x(i as f64) + shift, y(value)];
        for (i, point) in one.points.iter().enumerate() {
            if let Some([low, high]) = point.interval {
                svg.line(at(i, low), at(i, high), colour, 1.0);
            }
            if let Some(next) = one.points.get(i + 1) {
                svg.line(at(i, point.value), at(i + 1, next.value), colour, 2.0);
            }
            svg.dot(at(i, point.value), colour);
        }
        let key = [left + 20.0 + 190.0 * number as f64, height - 18.0];
        svg.dot(key, colour);
        svg.text([key[0] + 10.0, key[1] + 4.0], "start", &one.name);
    }
    svg.end()
}

struct Svg(String);

impl Svg {
    fn new(height: f64, title: &str) -> Self {
        let mut svg = Self(format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" \
             font-family=\"sans-serif\" font-size=\"13\">\n<title>{}</title>\n\
             <rect width=\"100%\" height=\"100%\" fill=\"#fff\"/>\n",
            escaped(title)
        ));
        svg.text([16.0, 22.0], "start", title);
        svg
    }

    fn line(&mut self, from: [f64; 2], to: [f64; 2], colour: &str, width: f64) {
        self.0.push_str(&format!(
            "<line x1=\"{:.1}\" y1=\"{:.1}\" x2=\"{:.1}\" y2=\"{:.1}\" stroke=\"{colour}\" \
             stroke-width=\"{width}\"/>\n",
            from[0], from[1], to[0], to[1]
        ));
    }

    fn dot(&mut self, at: [f64; 2], colour: &str) {
        let [x, y] = at;
        self.0.push_str(&format!(
            "<circle cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"4\" fill=\"{colour}\"/>\n"
        ));
    }

    fn text(&mut self, at: [f64; 2], anchor: &str, text: &str) {
        let ([x, y], text) = (at, escaped(text));
        self.0.push_str(&format!(
            "<text x=\"{x:.1}\" y=\"{y:.1}\" text-anchor=\"{anchor}\" fill=\"#222\">{text}</text>\n"
        ));
    }

    fn end(self) -> String {
        self.0 + "</svg>\n"
    }
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_lies_within_its_interval_right_of_its_name() {
        let found = Whisker {
            value: 0.5,
            interval: Some([0.25, 0.75]),
        };
        let svg = rates("Against <base>", &[("base".to_owned(), found)]);
        assert!(
            svg.contains("x1=\"320.0\" y1=\"54.0\" x2=\"520.0\""),
            "{svg}"
        );
        assert!(svg.contains("cx=\"420.0\""), "{svg}");
        assert!(
            svg.contains("Against &lt;base&gt;") && !svg.contains("&amp;lt;"),
            "{svg}"
        );
    }

    #[test]
    fn a_line_that_rises_is_drawn_upwards_and_one_that_is_level_can_be_drawn() {
        let series = |values: [f64; 2]| Series {
            name: "one".to_owned(),
            points: values
                .map(|value| Whisker {
                    value,
                    interval: None,
                })
                .to_vec(),
        };
        let places = ["2".to_owned(), "4".to_owned()];
        let draw = |values| lines("Of", &places, &[series(values)], |v| format!("{v:.1}"));
        let heights = |svg: &str| -> Vec<f64> {
            let circles = svg.split("<circle").skip(1).take(2);
            let height = |circle: &str| {
                circle
                    .split("cy=\"")
                    .nth(1)?
                    .split('"')
                    .next()?
                    .parse()
                    .ok()
            };
            circles.map(|circle| height(circle).unwrap()).collect()
        };
        let rising = heights(&draw([0.2, 0.6]));
        assert!(rising[0] > rising[1], "{rising:?}");
        let level = heights(&draw([0.5, 0.5]));
        assert_eq!(level[0], level[1]);
        assert_eq!(draw([0.2, 0.6]), draw([0.2, 0.6]));
    }
}
