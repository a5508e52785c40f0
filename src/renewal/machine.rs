//! Whether what is found in the files is used, and what is said about it.

use std::fmt::Write as _;

use jiff::Timestamp;

use super::{CertificateReading, Use};
use crate::certificates::Certificate;

/// Whoever has fewer days left is reminded once a day.
const REMIND_BELOW: i64 = 15;
/// The pause between two reminders, in seconds.
const REMIND_EVERY: i64 = 24 * 3600;

/// What the files hold, or what is in use, in words.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Found {
    /// Our certificate; none where we show none.
    pub(crate) certificate: Option<Certificate>,
    /// How many authorities we trust; none where nobody has to show a certificate to us.
    pub(crate) authorities: Option<usize>,
}

/// A line for the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Said {
    /// What is in use.
    Info(String),
    /// What is wrong.
    Warn(String),
}

/// The certificate of one use through time:
///
/// ```text
///   in use --files hold the same--> in use
///          --files hold another, consistent and valid now--> renewed (Info), in use
///          --anything else--> in use, and complained of once (Warn), until the complaint changes
/// ```
#[derive(Debug)]
pub(crate) struct Renewal {
    of: Use,
    in_use: Found,
    complaint: Option<String>,
    reminded: Option<Timestamp>,
    renewed: u64,
    refused: u64,
}

impl Renewal {
    /// What is in use at the start.
    pub(crate) fn begin(of: Use, in_use: Found, now: Timestamp) -> (Self, Vec<Said>) {
        let renewal = Self { of, in_use, complaint: None, reminded: None, renewed: 0, refused: 0 };
        // How long it lasts is in these words; the first look reminds of it.
        let said = vec![Said::Info(renewal.in_words("is in use", now))];
        (renewal, said)
    }

    /// The files were read: what they hold and whether that differs from what is in use, or why it cannot be used.
    /// `asked`: somebody waits for an answer. True: what was found is to be used from now on.
    pub(crate) fn looked(
        &mut self,
        found: Result<(Found, bool), String>,
        asked: bool,
        now: Timestamp,
    ) -> (bool, Vec<Said>) {
        let mut said = Vec::new();
        let checked = found.and_then(|(found, differs)| self.check(&found, now).map(|()| (found, differs)));
        let takes = match checked {
            Ok((found, true)) => {
                (self.in_use, self.complaint, self.reminded) = (found, None, None);
                self.renewed += 1;
                said.push(Said::Info(self.in_words("is renewed: new connections use it, those that stand stay", now)));
                true
            }
            Ok((_, false)) => {
                let mended = self.complaint.take().is_some();
                if asked || mended {
                    said.push(Said::Info(self.in_words("is the same as before and stays in use", now)));
                }
                false
            }
            Err(why) => {
                let is_new = self.complaint.as_ref() != Some(&why);
                self.refused += u64::from(is_new);
                if asked || is_new {
                    let kept = self.in_words("stays in use", now);
                    said.push(Said::Warn(format!("what is in the files now cannot be used: {why}; {kept}")));
                }
                self.complaint = Some(why);
                false
            }
        };
        said.extend(self.remind(now));
        (takes, said)
    }

    /// What is consistent may still be a mistake: a certificate that nobody would accept does not replace one.
    fn check(&self, found: &Found, now: Timestamp) -> Result<(), String> {
        let Some(certificate) = &found.certificate else {
            return match &self.in_use.certificate {
                Some(_) => Err("there is no certificate in them".to_owned()),
                None => Ok(()),
            };
        };
        let is_good = |one: &Certificate| !one.is_early(now) && !one.is_late(now);
        if Some(certificate) != self.in_use.certificate.as_ref() && !is_good(certificate) {
            return Err(format!(
                "the certificate of {} there: {}",
                certificate.subject,
                certificate.validity_text(now)
            ));
        }
        Ok(())
    }

    /// The certificate runs out soon, or has.
    fn remind(&mut self, now: Timestamp) -> Option<Said> {
        let certificate = self.in_use.certificate.as_ref()?;
        let is_due = self.reminded.is_none_or(|at| now.as_second() - at.as_second() >= REMIND_EVERY);
        if !is_due || certificate.days_left(now) >= REMIND_BELOW {
            return None;
        }
        self.reminded = Some(now);
        let what = self.what();
        let validity = certificate.validity_text(now);
        Some(Said::Warn(format!(
            "{what} is {validity}; write a renewed one into its files, it is taken within a minute"
        )))
    }

    const fn what(&self) -> &'static str {
        match self.of {
            Use::Pool => "the certificate for the pool",
            Use::Http => "the certificate of the API",
        }
    }

    fn in_words(&self, verb: &str, now: Timestamp) -> String {
        let mut text = self.what().to_owned();
        if let Some(certificate) = &self.in_use.certificate {
            let _ = write!(
                text,
                " {verb}: {}, serial number {}, issued by {}, {}",
                certificate.subject,
                certificate.serial,
                certificate.issuer,
                certificate.validity_text(now)
            );
        } else {
            text = format!("no certificate is shown to the pool; what is trusted {verb}");
        }
        if let Some(authorities) = self.in_use.authorities {
            let ies = if authorities == 1 { "y" } else { "ies" };
            let _ = write!(text, "; {authorities} authorit{ies} trusted");
        }
        text
    }

    pub(super) fn reading(&self) -> CertificateReading {
        let not_after = self.in_use.certificate.as_ref().map(|certificate| certificate.not_after);
        CertificateReading { not_after, renewed: self.renewed, refused: self.refused }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().expect("a moment")
    }

    fn certificate(serial: &str, from: &str, until: &str) -> Found {
        let certificate = Certificate {
            common_name: None,
            subject: "CN=a".to_owned(),
            issuer: "an authority".to_owned(),
            serial: serial.to_owned(),
            names: Vec::new(),
            not_before: at(from).as_second(),
            not_after: at(until).as_second(),
            for_server: true,
            for_client: true,
        };
        Found { certificate: Some(certificate), authorities: Some(1) }
    }

    fn old() -> Found {
        certificate("01", "2026-01-01T00:00:00Z", "2026-12-01T00:00:00Z")
    }

    const NOW: &str = "2026-06-01T00:00:00Z";

    fn begun() -> Renewal {
        Renewal::begin(Use::Pool, old(), at(NOW)).0
    }

    #[test]
    fn the_start_says_what_is_in_use_and_until_when() {
        let (_, said) = Renewal::begin(Use::Http, Found { authorities: None, ..old() }, at(NOW));
        let words = "the certificate of the API is in use: CN=a, serial number 01, issued by an authority, valid until \
                     2026-12-01 (183 days left)";
        assert_eq!(said, [Said::Info(words.to_owned())]);
    }

    #[test]
    fn another_one_is_taken_and_said_and_the_same_is_worth_no_word_unless_somebody_asked() {
        let mut renewal = begun();
        assert_eq!(renewal.looked(Ok((old(), false)), false, at(NOW)), (false, vec![]));
        let (takes, said) = renewal.looked(Ok((old(), false)), true, at(NOW));
        assert!(!takes && matches!(&said[..], [Said::Info(text)] if text.contains("the same as before")), "{said:?}");
        let new = certificate("02", "2026-05-01T00:00:00Z", "2027-05-01T00:00:00Z");
        let (takes, said) = renewal.looked(Ok((new.clone(), true)), false, at(NOW));
        assert!(takes && matches!(&said[..], [Said::Info(text)] if text.contains("serial number 02")), "{said:?}");
        assert_eq!(renewal.looked(Ok((new, false)), false, at(NOW)), (false, vec![]));
        let not_after = Some(at("2027-05-01T00:00:00Z").as_second());
        assert_eq!(renewal.reading(), CertificateReading { not_after, renewed: 1, refused: 0 });
    }

    #[test]
    fn what_cannot_be_used_is_complained_of_once_and_again_when_the_complaint_changes_or_somebody_asks() {
        let mut renewal = begun();
        let mut warnings = |why: &str, asked| match renewal.looked(Err(why.to_owned()), asked, at(NOW)) {
            (false, said) => said.len(),
            (true, _) => panic!("it was taken"),
        };
        assert_eq!((warnings("half", false), warnings("half", false), warnings("half", true)), (1, 0, 1));
        assert_eq!((warnings("other", false), warnings("other", false)), (1, 0));
        assert_eq!(renewal.reading().refused, 2);
        let (_, said) = renewal.looked(Ok((old(), false)), false, at(NOW));
        assert_eq!(said.len(), 1, "that it is well again is said");
        assert_eq!(renewal.looked(Err("half".to_owned()), false, at(NOW)).1.len(), 1);
    }

    #[test]
    fn a_certificate_that_nobody_would_accept_replaces_none() {
        let (expired, early) = (
            certificate("02", "2025-01-01T00:00:00Z", "2026-05-31T00:00:00Z"),
            certificate("03", "2026-06-02T00:00:00Z", "2027-06-02T00:00:00Z"),
        );
        let mut renewal = begun();
        for (found, why) in [
            (expired, "expired on 2026-05-31"),
            (early.clone(), "not valid before 2026-06-02"),
            (Found { certificate: None, authorities: Some(1) }, "there is no certificate in them"),
        ] {
            let (takes, said) = renewal.looked(Ok((found, true)), false, at(NOW));
            assert!(!takes && matches!(&said[..], [Said::Warn(text)] if text.contains(why)), "{said:?}");
        }
        assert!(renewal.looked(Ok((early, true)), false, at("2026-06-02T00:00:01Z")).0, "when its time has come");
    }

    #[test]
    fn fifteen_days_before_the_end_there_is_a_reminder_a_day() {
        let mut renewal = begun();
        let mut look = |now| renewal.looked(Ok((old(), false)), false, at(now)).1.len();
        assert_eq!(look("2026-11-15T00:00:00Z"), 0);
        assert_eq!(
            (look("2026-11-16T00:00:01Z"), look("2026-11-16T23:00:00Z"), look("2026-11-17T00:00:01Z")),
            (1, 0, 1)
        );
        let (_, said) = renewal.looked(Ok((old(), false)), false, at("2026-12-03T00:00:00Z"));
        assert!(matches!(&said[..], [Said::Warn(text)] if text.contains("expired on 2026-12-01")), "{said:?}");
    }
}
