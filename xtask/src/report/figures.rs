//! Tables and plots of one measurement.

use anyhow::Result;
use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::measure::{Kind, Measurement};
use super::plot::{self, Series, Whisker};

/// What stands in the document of one measurement, and its plots by file name.
pub(super) struct Figure {
    pub(super) text: String,
    pub(super) plots: Vec<(String, String)>,
}

/// Of the JSON that its command wrote.
///
/// # Errors
/// When it is not of the form that the command writes.
pub(super) fn figure(measurement: &Measurement, json: &str) -> Result<Figure> {
    let Stamped { made } = parse(json)?;
    let mut figure = Figure {
        text: format!(
            "\n### {}\n\n    {}\n\n{}; model `{}`.\n",
            measurement.title,
            made.command,
            made.date,
            made.model.get(..12).unwrap_or(&made.model)
        ),
        plots: Vec::new(),
    };
    match measurement.kind {
        Kind::Winrate => winrate(&mut figure, measurement, &parse(json)?),
        Kind::Blend => blend(&mut figure, measurement, &parse(json)?),
        Kind::Mirror => mirror(&mut figure, &parse(json)?),
        Kind::Pictures => pictures(&mut figure, &parse(json)?),
        Kind::Variety => variety(&mut figure, &parse(json)?),
    }
    Ok(figure)
}

fn parse<T: DeserializeOwned>(json: &str) -> Result<T> {
    Ok(serde_json::from_str(json)?)
}

/// What every report begins with.
#[derive(Deserialize)]
struct Stamped {
    made: Made,
}

#[derive(Deserialize)]
struct Made {
    command: String,
    model: String,
    date: String,
}

#[derive(Deserialize, Clone, Copy)]
struct Interval {
    low: f64,
    high: f64,
}

#[derive(Deserialize)]
struct Rate {
    opponent: String,
    n: usize,
    ties: usize,
    rate: f64,
    by_person: Option<Interval>,
}

#[derive(Deserialize)]
struct OfAxis {
    axis: String,
    withheld: bool,
    people: usize,
    by_utility: Vec<Rate>,
}

#[derive(Deserialize)]
struct ShownBy {
    arm: String,
    n: usize,
    top5: f64,
    interval: Option<Interval>,
}

#[derive(Deserialize)]
struct Ceilings {
    best_of: usize,
    oracle: Rate,
    bayes: Rate,
}

#[derive(Deserialize)]
struct Results {
    pairs_per_user: usize,
    by_utility: Vec<Rate>,
    by_answers: Vec<Rate>,
    by_axis: Vec<OfAxis>,
    #[serde(default)]
    within_style: Vec<Rate>,
    #[serde(default)]
    subjects: Vec<ShownBy>,
    ceilings: Option<Ceilings>,
}

#[derive(Deserialize)]
struct Difference {
    opponent: String,
    pairs_per_user: [usize; 2],
    n: usize,
    difference: f64,
    by_person: Option<Interval>,
}

#[derive(Deserialize)]
struct WinRates {
    people: usize,
    prompts: usize,
    #[serde(flatten)]
    results: Results,
    #[serde(default)]
    further: Vec<Results>,
    #[serde(default)]
    differences: Vec<Difference>,
}

/// Of the first number of choices everything; of the others the win rates by utility.
fn winrate(figure: &mut Figure, measurement: &Measurement, report: &WinRates) {
    let first = &report.results;
    figure.say(&format!(
        "{} people, {} prompts each, {} choices of each person. Shares that the personalised picture \
         won, with intervals clustered by person.",
        report.people, report.prompts, first.pairs_per_user
    ));
    let mut rows = Vec::new();
    let judged = [
        ("by utility", &first.by_utility),
        ("by answers", &first.by_answers),
        ("within a style", &first.within_style),
    ];
    for (how, rates) in judged {
        rows.extend(
            rates
                .iter()
                .map(|rate| (format!("{}, {how}", rate.opponent), rate)),
        );
    }
    if let Some(ceilings) = &first.ceilings {
        let best_of = ceilings.best_of;
        rows.push((format!("the oracle's of {best_of}"), &ceilings.oracle));
        rows.push((format!("the Bayes pick of {best_of}"), &ceilings.bayes));
    }
    let cells = |(name, rate): &(String, &Rate)| {
        [
            name.clone(),
            rate.n.to_string(),
            rate.ties.to_string(),
            rate.shown(),
        ]
    };
    figure.table(
        ["personalised against", "of", "ties", "won"],
        rows.iter().map(cells),
    );
    let whiskers: Vec<_> = rows
        .into_iter()
        .map(|(name, rate)| (name, rate.whisker()))
        .collect();
    figure.plot(
        measurement,
        "rates",
        plot::rates("Won by the personalised picture, against", &whiskers),
    );

    figure.say("By what people want (by utility; who wants several is counted with each):");
    let of_axis = |of: &OfAxis| {
        let withheld = if of.withheld { " (withheld)" } else { "" };
        let won = of
            .by_utility
            .iter()
            .map(|rate| format!("{} {}", rate.opponent, rate.shown()));
        [
            format!("{}{withheld}", of.axis),
            of.people.to_string(),
            won.collect::<Vec<_>>().join("; "),
        ]
    };
    figure.table(
        ["axis", "people", "won against"],
        first.by_axis.iter().map(of_axis),
    );
    if !first.subjects.is_empty() {
        figure.say("Pictures that show what was asked for, as the judge sees them:");
        let row = |shown: &ShownBy| {
            let top5 = with_interval(shown.top5, shown.interval);
            [shown.arm.clone(), shown.n.to_string(), top5]
        };
        figure.table(
            ["arm", "of", "top-5 (Wilson)"],
            first.subjects.iter().map(row),
        );
    }
    if !report.further.is_empty() {
        more_choices(figure, measurement, report);
    }
}

fn more_choices(figure: &mut Figure, measurement: &Measurement, report: &WinRates) {
    let mut all: Vec<&Results> = std::iter::once(&report.results)
        .chain(&report.further)
        .collect();
    all.sort_by_key(|results| results.pairs_per_user);
    let opponents = report.results.by_utility.iter().enumerate();
    let series = opponents.map(|(i, rate)| Series {
        name: format!("against {}", rate.opponent),
        points: all
            .iter()
            .map(|results| results.by_utility[i].whisker())
            .collect(),
    });
    let series: Vec<Series> = series.collect();
    let places: Vec<String> = all.iter().map(|r| r.pairs_per_user.to_string()).collect();
    let title = "Won by the personalised picture, by number of choices";
    let svg = plot::lines(title, &places, &series, |share| {
        format!("{:.0} %", 100.0 * share)
    });
    figure.plot(measurement, "choices", svg);
    figure.say("By number of choices, and what more choices won of the same comparisons:");
    let row = |results: &&Results| {
        let won = results.by_utility.iter();
        let won = won.map(|rate| format!("{} {}", rate.opponent, rate.shown()));
        [
            results.pairs_per_user.to_string(),
            won.collect::<Vec<_>>().join("; "),
        ]
    };
    figure.table(["choices", "won against"], all.iter().map(row));
    let row = |more: &Difference| {
        let [few, many] = more.pairs_per_user;
        let points = |share: f64| format!("{:+.1}", 100.0 * share);
        let interval = more
            .by_person
            .map_or_else(String::new, |Interval { low, high }| {
                format!(" ({} to {})", points(low), points(high))
            });
        [
            format!("{many} instead of {few}"),
            more.opponent.clone(),
            more.n.to_string(),
            points(more.difference) + &interval,
        ]
    };
    figure.table(
        ["choices", "against", "of", "more won, in points"],
        report.differences.iter().map(row),
    );
}

#[derive(Deserialize)]
struct Hits {
    top1: f64,
    top5: f64,
    top5_interval: Option<Interval>,
}

#[derive(Deserialize)]
struct Place {
    second: f64,
    utilities: [f64; 2],
    hits: Hits,
}

#[derive(Deserialize)]
struct Blends {
    places: Vec<Place>,
    spearman: Option<f64>,
    median_spearman: f64,
    largest_step: Option<f64>,
    ends_differ_by: u8,
}

fn blend(figure: &mut Figure, measurement: &Measurement, report: &Blends) {
    let number = |value: Option<f64>, scale: f64| {
        value.map_or_else(
            || "undefined".to_owned(),
            |value| format!("{:.2}", scale * value),
        )
    };
    figure.say(&format!(
        "Spearman {} over all couples, {:.2} the median couple's own; the largest step carries {} % of \
         the way; the ends differ from the single profiles' pictures by {} of 255 levels at most.",
        number(report.spearman, 1.0),
        report.median_spearman,
        number(report.largest_step, 100.0),
        report.ends_differ_by
    ));
    let row = |place: &Place| {
        let [first, second] = place.utilities.map(|utility| format!("{utility:+.2}"));
        let top5 = with_interval(place.hits.top5, place.hits.top5_interval);
        [
            format!("{:.0} %", 100.0 * place.second),
            first,
            second,
            top5,
        ]
    };
    figure.table(
        [
            "of the second",
            "liked by the first",
            "by the second",
            "top-5 (Wilson)",
        ],
        report.places.iter().map(row),
    );
    let places: Vec<String> = report
        .places
        .iter()
        .map(|place| format!("{:.0} %", 100.0 * place.second))
        .collect();
    let series = ["the first person", "the second person"]
        .into_iter()
        .enumerate();
    let series = series.map(|(i, name)| Series {
        name: name.to_owned(),
        points: report
            .places
            .iter()
            .map(|place| Whisker {
                value: place.utilities[i],
                interval: None,
            })
            .collect(),
    });
    let title = "Mean utility of the pictures, by share of the second person";
    let svg = plot::lines(title, &places, &series.collect::<Vec<_>>(), |u| {
        format!("{u:+.2}")
    });
    figure.plot(measurement, "places", svg);
}

#[derive(Deserialize)]
struct Mirrors {
    share: f64,
    pictures: usize,
}

fn mirror(figure: &mut Figure, report: &Mirrors) {
    figure.say(&format!(
        "{:.1} % of {} pictures moved in the chosen direction.",
        100.0 * report.share,
        report.pictures
    ));
}

#[derive(Deserialize)]
struct Pictures {
    drawn: Hits,
    real: Hits,
    reconstructed: Hits,
}

fn pictures(figure: &mut Figure, report: &Pictures) {
    let rows = [
        ("drawn", &report.drawn),
        ("real artwork", &report.real),
        ("the same, encoded and decoded", &report.reconstructed),
    ];
    let row = |(name, hits): (&str, &Hits)| {
        let top5 = with_interval(hits.top5, hits.top5_interval);
        [name.to_owned(), percent(hits.top1), top5]
    };
    figure.table(
        ["pictures", "top-1", "top-5 (Wilson)"],
        rows.into_iter().map(row),
    );
}

#[derive(Deserialize)]
struct Varied {
    styles: Vec<Styles>,
    drawn: usize,
    held_out: usize,
    kid: f64,
    kid_of_artwork: f64,
    nearest: Nearest,
}

#[derive(Deserialize)]
struct Styles {
    counts: Vec<usize>,
}

#[derive(Deserialize)]
struct Nearest {
    drawn: f64,
    held_out: f64,
    suspiciously_near: f64,
}

fn variety(figure: &mut Figure, report: &Varied) {
    let covered = |styles: &Styles| styles.counts.iter().filter(|count| **count > 0).count();
    let covered: Vec<String> = report
        .styles
        .iter()
        .map(|s| covered(s).to_string())
        .collect();
    let nearest = &report.nearest;
    figure.say(&format!(
        "Styles that the judge names among the pictures of one prompt: {}. Kernel distance of {} \
         pictures to artwork of {} held-out subjects: {:.2}, where artwork of the same subjects has \
         {:.2}. Distance to the nearest training picture: {:.3}, where artwork never seen has {:.3}; \
         {:.1} % are suspiciously near, where 5 % of artwork never seen is.",
        covered.join(", "),
        report.drawn,
        report.held_out,
        report.kid,
        report.kid_of_artwork,
        nearest.drawn,
        nearest.held_out,
        100.0 * nearest.suspiciously_near
    ));
}

impl Rate {
    fn shown(&self) -> String {
        with_interval(self.rate, self.by_person)
    }

    fn whisker(&self) -> Whisker {
        Whisker {
            value: self.rate,
            interval: self.by_person.map(|Interval { low, high }| [low, high]),
        }
    }
}

fn percent(share: f64) -> String {
    format!("{:.1} %", 100.0 * share)
}

fn with_interval(share: f64, interval: Option<Interval>) -> String {
    let interval = interval.map_or_else(String::new, |Interval { low, high }| {
        format!(" ({:.1} to {:.1} %)", 100.0 * low, 100.0 * high)
    });
    percent(share) + &interval
}

impl Figure {
    fn say(&mut self, sentence: &str) {
        self.text.push_str(&format!("\n{sentence}\n"));
    }

    fn table<const N: usize>(&mut self, head: [&str; N], rows: impl Iterator<Item = [String; N]>) {
        self.text.push_str(&format!(
            "\n| {} |\n|{}\n",
            head.join(" | "),
            "---|".repeat(N)
        ));
        for row in rows {
            self.text.push_str(&format!("| {} |\n", row.join(" | ")));
        }
    }

    fn plot(&mut self, measurement: &Measurement, of: &str, svg: String) {
        let file = format!("{}-{of}.svg", measurement.name);
        self.text
            .push_str(&format!("\n![{}](evaluation/{file})\n", measurement.title));
        self.plots.push((file, svg));
    }
}

#[cfg(test)]
mod tests {
    use super::super::measure::MEASUREMENTS;
    use super::*;

    fn of(name: &str, json: &str) -> Figure {
        let measurement = MEASUREMENTS.iter().find(|one| one.name == name).unwrap();
        figure(measurement, json).unwrap()
    }

    const MADE: &str = r#""made": {"command": "predilect eval it --seed 1",
        "model": "0123456789abcdef", "date": "2026-11-27"}"#;

    fn rate(opponent: &str, rate: f64) -> String {
        format!(
            r#"{{"opponent": "{opponent}", "n": 180, "ties": 2, "rate": {rate},
            "by_person": {{"low": 0.6, "high": 0.75}}}}"#
        )
    }

    fn results(pairs: usize, won: f64) -> String {
        let rate = rate("base", won);
        format!(
            r#""pairs_per_user": {pairs}, "by_utility": [{rate}], "by_answers": [{rate}],
            "by_axis": [{{"axis": "symmetry", "withheld": true, "people": 7, "by_utility": [{rate}]}}],
            "subjects": [{{"arm": "base", "n": 60, "top5": 0.8, "interval": null}}]"#
        )
    }

    #[test]
    fn a_figure_says_how_it_was_made_and_what_was_found() {
        let json = format!(
            r#"{{{MADE}, "people": 60, "prompts": 3, {}, "further": [{{{}}}],
            "differences": [{{"opponent": "base", "pairs_per_user": [2, 4], "n": 180,
              "difference": 0.05, "by_person": {{"low": -0.01, "high": 0.1}}}}]}}"#,
            results(4, 0.681),
            results(2, 0.631)
        );
        let figure = of("winrate", &json);
        for expected in [
            "    predilect eval it --seed 1\n",
            "2026-11-27; model `0123456789ab`.",
            "| base, by utility | 180 | 2 | 68.1 % (60.0 to 75.0 %) |",
            "| symmetry (withheld) | 7 | base 68.1 % (60.0 to 75.0 %) |",
            "| base | 60 | 80.0 % |",
            "| 2 | base 63.1 % (60.0 to 75.0 %) |\n| 4 | base 68.1 %",
            "| 4 instead of 2 | base | 180 | +5.0 (-1.0 to +10.0) |",
            "(evaluation/winrate-choices.svg)",
        ] {
            assert!(
                figure.text.contains(expected),
                "{expected} in {}",
                figure.text
            );
        }
        let plots: Vec<&str> = figure.plots.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(plots, ["winrate-rates.svg", "winrate-choices.svg"]);
        assert!(of("winrate", &json).text == figure.text);
    }

    #[test]
    fn other_measurements_are_told_in_words_and_tables() {
        let hits = r#"{"top1": 0.5, "top5": 0.75, "top5_interval": {"low": 0.6, "high": 0.9}}"#;
        let pictures =
            format!(r#"{{{MADE}, "drawn": {hits}, "real": {hits}, "reconstructed": {hits}}}"#);
        let pictures = of("pictures", &pictures).text;
        assert!(
            pictures.contains("| drawn | 50.0 % | 75.0 % (60.0 to 90.0 %) |"),
            "{pictures}"
        );
        let mirror = of(
            "mirror",
            &format!(r#"{{{MADE}, "share": 0.762, "pictures": 160}}"#),
        )
        .text;
        assert!(mirror.contains("76.2 % of 160"), "{mirror}");
        let places = [0.0, 1.0].map(|second| {
            format!(r#"{{"second": {second}, "utilities": [0.5, -0.5], "hits": {hits}}}"#)
        });
        let blend = format!(
            r#"{{{MADE}, "places": [{}], "spearman": 1.0, "median_spearman": 0.74,
            "largest_step": 0.164, "ends_differ_by": 1}}"#,
            places.join(",")
        );
        let blend = of("blend", &blend);
        assert!(
            blend.text.contains("| 100 % | +0.50 | -0.50 |"),
            "{}",
            blend.text
        );
        assert!(
            blend.text.contains("the largest step carries 16.40 %"),
            "{}",
            blend.text
        );
        assert_eq!(blend.plots.len(), 1);
        let variety = format!(
            r#"{{{MADE}, "styles": [{{"counts": [3, 0, 1]}}], "drawn": 4, "held_out": 4, "kid": 4.17,
            "kid_of_artwork": -0.03,
            "nearest": {{"drawn": 0.41, "held_out": 0.36, "suspiciously_near": 0.0}}}}"#
        );
        assert!(
            of("variety", &variety)
                .text
                .contains("one prompt: 2. Kernel")
        );
    }

    #[test]
    fn a_report_that_does_not_say_how_it_was_made_is_refused() {
        let measurement = &MEASUREMENTS[0];
        assert!(figure(measurement, r#"{"people": 60}"#).is_err());
    }
}
