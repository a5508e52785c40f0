//! Whether the pools still tell: samples and what they found.

use presence_actors::MeterReadings;

use super::exposition::Exposition;

/// What was counted of samples.
pub(super) fn samples(answer: &mut Exposition, read: &MeterReadings) {
    let samples = read.samples.iter().map(|(outcome, count)| (vec![("outcome", outcome.name().into())], *count as f64));
    answer.counter(
        "presence_samples",
        "Comparisons of what is held of an agent with what its pool says when it is asked, by how they ended",
        samples,
    );
    answer.counter(
        "presence_silent_losses",
        "Agents about whom a pool had stopped notifying without a sign, each time",
        [(Vec::new(), read.silent_losses as f64)],
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_outcome_is_there_from_the_beginning() {
        let mut answer = Exposition::default();
        samples(&mut answer, &presence_actors::Meters::default().read());
        let text = answer.classic().unwrap();
        for outcome in ["same", "lost", "void", "unanswered", "skipped"] {
            assert!(text.contains(&format!("presence_samples_total{{outcome=\"{outcome}\"}} 0")), "{text}");
        }
        assert!(text.contains("presence_silent_losses_total 0"), "{text}");
    }
}
