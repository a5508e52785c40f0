//! Families of metrics, and the two texts that say them.

use std::borrow::Cow;
use std::fmt::{self, Write as _};

use prometheus_client::encoding::{EncodeMetric, MetricEncoder, NoLabelSet, text};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::exemplar::Exemplar;
use prometheus_client::registry::{Registry, Unit};

/// The labels of one row.
pub(super) type Labels = Vec<(&'static str, Cow<'static, str>)>;

/// OpenMetrics 1.0.
pub(super) const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";
/// The text of Prometheus before OpenMetrics.
pub(super) const CLASSIC: &str = "text/plain; version=0.0.4; charset=utf-8";

/// A histogram, read.
#[derive(Clone, Debug)]
pub(super) struct Reading<'a> {
    /// The upper bounds of the buckets, in seconds.
    pub(super) bounds: &'a [f64],
    /// How many there are in each bucket; one more than bounds.
    pub(super) counts: &'a [u64],
    /// The sum of all, in seconds.
    pub(super) sum: f64,
}

#[derive(Debug)]
enum Value {
    Gauge(f64),
    Counter(f64),
    Info,
    Histogram { sum: f64, count: u64, buckets: Vec<(f64, u64)> },
}

impl Value {
    fn encode(&self, row: &mut MetricEncoder<'_>) -> fmt::Result {
        match self {
            Self::Gauge(value) => row.encode_gauge(value),
            Self::Counter(value) => row.encode_counter(value, None::<&Exemplar<NoLabelSet, f64>>),
            Self::Info => row.encode_gauge(&1_u32),
            Self::Histogram { sum, count, buckets } => row.encode_histogram::<NoLabelSet>(*sum, *count, buckets, None),
        }
    }
}

/// The rows of one metric.
#[derive(Debug)]
struct Rows {
    kind: MetricType,
    rows: Vec<(Labels, Value)>,
}

impl EncodeMetric for Rows {
    fn encode(&self, mut encoder: MetricEncoder<'_>) -> fmt::Result {
        for (labels, value) in &self.rows {
            if labels.is_empty() {
                value.encode(&mut encoder)?;
            } else {
                value.encode(&mut encoder.encode_family(labels)?)?;
            }
        }
        Ok(())
    }

    fn metric_type(&self) -> MetricType {
        self.kind
    }
}

/// All metrics of one answer. Names are whole (`presence_delivery_seconds`), but for the `_total` of counters, which the
/// texts add; help texts have no final stop, which they add too.
#[derive(Debug, Default)]
pub(super) struct Exposition {
    registry: Registry,
}

impl Exposition {
    /// What goes up and down.
    pub(super) fn gauge(&mut self, name: &str, help: &str, rows: impl IntoIterator<Item = (Labels, f64)>) {
        let rows = rows.into_iter().map(|(labels, value)| (labels, Value::Gauge(value))).collect();
        self.register(name, help, Rows { kind: MetricType::Gauge, rows });
    }

    /// What only goes up; its name gets `_total`.
    pub(super) fn counter(&mut self, name: &str, help: &str, rows: impl IntoIterator<Item = (Labels, f64)>) {
        let rows = rows.into_iter().map(|(labels, value)| (labels, Value::Counter(value))).collect();
        self.register(name, help, Rows { kind: MetricType::Counter, rows });
    }

    /// What is said by its labels; always 1.
    pub(super) fn info(&mut self, name: &str, help: &str, labels: Labels) {
        self.register(name, help, Rows { kind: MetricType::Gauge, rows: vec![(labels, Value::Info)] });
    }

    /// How long something takes.
    pub(super) fn histogram<'a>(
        &mut self,
        name: &str,
        help: &str,
        rows: impl IntoIterator<Item = (Labels, Reading<'a>)>,
    ) {
        let rows = rows.into_iter().map(|(labels, reading)| {
            let bounds = reading.bounds.iter().copied().chain([f64::INFINITY]);
            let buckets = bounds.zip(reading.counts.iter().copied()).collect();
            (labels, Value::Histogram { sum: reading.sum, count: reading.counts.iter().sum(), buckets })
        });
        self.register(name, help, Rows { kind: MetricType::Histogram, rows: rows.collect() });
    }

    fn register(&mut self, name: &str, help: &str, rows: Rows) {
        let units = [("_seconds", Unit::Seconds), ("_bytes", Unit::Bytes)];
        let unit = units.into_iter().find_map(|(suffix, unit)| Some((name.strip_suffix(suffix)?, unit)));
        match unit {
            Some((name, unit)) => self.registry.register_with_unit(name, help, unit, rows),
            None => self.registry.register(name, help, rows),
        }
    }

    /// The text of OpenMetrics.
    pub(super) fn open_metrics(&self) -> Result<String, fmt::Error> {
        let mut answer = String::new();
        text::encode(&mut answer, &self.registry)?;
        Ok(answer)
    }

    /// The text of Prometheus before OpenMetrics: counters are declared with their `_total`, and there are no units.
    pub(super) fn classic(&self) -> Result<String, fmt::Error> {
        let mut open = String::new();
        text::encode_registry(&mut open, &self.registry)?;
        let mut answer = String::with_capacity(open.len());
        let mut help = "";
        for line in open.lines() {
            if let Some(rest) = line.strip_prefix("# HELP ") {
                help = rest;
            } else if let Some((name, kind)) = line.strip_prefix("# TYPE ").and_then(|rest| rest.split_once(' ')) {
                let total = if kind == "counter" { "_total" } else { "" };
                let help = help.split_once(' ').map_or("", |(_, text)| text);
                writeln!(answer, "# HELP {name}{total} {help}\n# TYPE {name}{total} {kind}")?;
            } else if !line.starts_with("# UNIT ") {
                writeln!(answer, "{line}")?;
            }
        }
        Ok(answer)
    }
}

/// No labels.
pub(super) fn plain(value: f64) -> [(Labels, f64); 1] {
    [(Vec::new(), value)]
}

/// One label.
pub(super) fn labelled(label: &'static str, value: impl Into<Cow<'static, str>>) -> Labels {
    vec![(label, value.into())]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn some() -> Exposition {
        let mut some = Exposition::default();
        some.counter("test_changes", "Changes", [(labelled("kind", "a\"b"), 3.0)]);
        some.gauge("test_age_seconds", "How old", plain(1.5));
        let reading = Reading { bounds: &[0.1, 1.0], counts: &[1, 2, 3], sum: 9.5 };
        some.histogram("test_wait_seconds", "How long", [(Vec::new(), reading)]);
        some.info("test_build_info", "What runs", labelled("version", "1"));
        some
    }

    #[test]
    fn the_text_of_open_metrics_has_units_and_an_end() {
        let text = some().open_metrics().unwrap();
        assert!(text.starts_with("# HELP test_changes Changes.\n# TYPE test_changes counter\n"), "{text}");
        assert!(text.contains("test_changes_total{kind=\"a\\\"b\"} 3.0\n"), "{text}");
        assert!(text.contains("# UNIT test_age_seconds seconds\ntest_age_seconds 1.5\n"), "{text}");
        assert!(text.ends_with("# EOF\n"), "{text}");
    }

    #[test]
    fn the_classic_text_declares_counters_as_they_are_called_and_knows_no_units() {
        let text = some().classic().unwrap();
        let lines = [
            "# HELP test_changes_total Changes.",
            "# TYPE test_changes_total counter",
            "test_changes_total{kind=\"a\\\"b\"} 3.0",
            "# HELP test_age_seconds How old.",
            "# TYPE test_age_seconds gauge",
            "test_age_seconds 1.5",
            "# HELP test_wait_seconds How long.",
            "# TYPE test_wait_seconds histogram",
            "test_wait_seconds_sum 9.5",
            "test_wait_seconds_count 6",
            "test_wait_seconds_bucket{le=\"0.1\"} 1",
            "test_wait_seconds_bucket{le=\"1.0\"} 3",
            "test_wait_seconds_bucket{le=\"+Inf\"} 6",
            "# HELP test_build_info What runs.",
            "# TYPE test_build_info gauge",
            "test_build_info{version=\"1\"} 1",
        ];
        assert_eq!(text.lines().collect::<Vec<_>>(), lines);
    }
}
