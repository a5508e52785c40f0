//! Our certificate, its key, and the authorities that we trust.

use std::path::Path;

use jiff::Timestamp;
use presence_actors::transport::{TlsError, TlsIdentity};
use presence_config::{Dialect, PoolSettings, Transport};

use super::report::{Outcome, Step};
use crate::certificates::Certificate;
use crate::this_computer;

/// A certificate that lasts less than this many days is worth a warning.
const SOON: i64 = 30;
const REQUEST: &str = "request one: `presence-provider provision` prints the names and the command";

/// The steps about our files.
pub(super) fn identity(pool: &PoolSettings, now: Timestamp) -> Vec<Step> {
    if pool.transport != Transport::Tls {
        let why = format!("Transport is {}: no certificates are used", pool.transport.as_str());
        return vec![Step::skipped("certificate", why)];
    }
    vec![certificate(pool, now), key(pool), authorities(pool, now)]
}

fn read(path: &Path, what: &str) -> Result<Vec<u8>, String> {
    std::fs::read(path).map_err(|why| format!("{what} {} cannot be read: {why}", path.display()))
}

fn certificate(pool: &PoolSettings, now: Timestamp) -> Step {
    const STEP: &str = "certificate";
    let Some(path) = &pool.certificate else {
        return Step::fail(STEP, "no Certificate in <Pool>: with TLS the pool checks ours", REQUEST);
    };
    let pem = match read(path, "Certificate") {
        Ok(pem) => pem,
        Err(why) => return Step::fail(STEP, why, "correct Certificate of <Pool>, or let this user read the file"),
    };
    let chain = match Certificate::read_pem(&pem) {
        Ok(chain) => chain,
        Err(why) => return Step::fail(STEP, format!("Certificate {}: {why}", path.display()), REQUEST),
    };
    match chain.first() {
        Some(own) => judged(own, pool.dialect, this_computer::name().as_deref(), now),
        None => Step::fail(STEP, format!("Certificate {} is empty", path.display()), REQUEST),
    }
}

/// What is to be said about our certificate.
fn judged(own: &Certificate, dialect: Dialect, computer: Option<&str>, now: Timestamp) -> Step {
    const RENEW: &str = "renew it; the provider reads it at its next start";
    let name = own.common_name.as_deref().unwrap_or("no common name");
    let mut step = Step::ok("certificate", format!("{name}, issued by {}, {}", own.issuer, own.validity_text(now)))
        .detail(format!("valid for {}", own.names_text()));
    // A presence server after RFC 3856 asks for no trusted pool.
    let severity = if dialect == Dialect::Skype { Outcome::Fail } else { Outcome::Warn };
    match &own.common_name {
        None => step.worsen(
            severity,
            "its subject has no common name, which is to be the trusted application pool's name",
            REQUEST,
        ),
        Some(name) if !own.is_for(name) => step.worsen(
            severity,
            format!("its subject alternative names lack {name}, the name of its subject; servers look at those only"),
            REQUEST,
        ),
        Some(_) => {}
    }
    if let Some(computer) = computer
        && dialect == Dialect::Skype
        && this_computer::is_fully_qualified(computer)
        && !own.is_for(computer)
    {
        step.worsen(
            Outcome::Warn,
            format!("its subject alternative names lack {computer}, the name of this computer"),
            "needed unless the trusted application pool consists of one computer that has the pool's name",
        );
    }
    if own.is_early(now) {
        step.worsen(Outcome::Fail, "it is not valid yet", "check the clock of this computer");
    } else if own.is_late(now) {
        step.worsen(Outcome::Fail, "it has expired", RENEW);
    } else if own.days_left(now) < SOON {
        step.worsen(Outcome::Warn, format!("it expires in less than {SOON} days"), RENEW);
    }
    for (granted, purpose) in [(own.for_server, "server"), (own.for_client, "client")] {
        if !granted {
            step.worsen(
                severity,
                format!("its extended key usage lacks {purpose} authentication; connections go in both directions"),
                REQUEST,
            );
        }
    }
    step
}

fn key(pool: &PoolSettings) -> Step {
    const STEP: &str = "private key";
    let (Some(certificate), Some(path)) = (&pool.certificate, &pool.private_key) else {
        return Step::skipped(STEP, "no Certificate with a PrivateKey in <Pool>");
    };
    let key = match read(path, "PrivateKey") {
        Ok(key) => key,
        Err(why) => return Step::fail(STEP, why, "correct PrivateKey of <Pool>, or let this user read the file"),
    };
    let Ok(chain) = std::fs::read(certificate) else {
        return Step::skipped(STEP, "the certificate cannot be read");
    };
    // The authorities are another step: any certificate will do for them here.
    match TlsIdentity::from_pem(Some((&chain, &key)), &chain, &[]) {
        Ok(_) => Step::ok(STEP, "it belongs to the certificate"),
        Err(TlsError::Unusable { what: "the private key", why, .. }) => {
            let shown = path.display();
            if why.contains("does not belong") {
                let advice = "name the key that the request was made with; each renewal may have brought a new one";
                return Step::fail(
                    STEP,
                    format!("{shown} does not belong to the certificate {}", certificate.display()),
                    advice,
                );
            }
            Step::fail(
                STEP,
                format!("{shown}: {why}"),
                "write an unencrypted key in PEM form into the file (PKCS#8, PKCS#1 or SEC1)",
            )
        }
        Err(_) => Step::skipped(STEP, "the certificate cannot be used"),
    }
}

fn authorities(pool: &PoolSettings, now: Timestamp) -> Step {
    const STEP: &str = "authorities";
    const ADVICE: &str = "export the certificate of the authority that issued the pool's certificate, in PEM form";
    let Some(path) = &pool.trusted_certificates else {
        let why = "no TrustedCertificates in <Pool>: nothing to check the pool's certificate against";
        return Step::fail(STEP, why, ADVICE);
    };
    let pem = match read(path, "TrustedCertificates") {
        Ok(pem) => pem,
        Err(why) => {
            return Step::fail(STEP, why, "correct TrustedCertificates of <Pool>, or let this user read the file");
        }
    };
    let found = match Certificate::read_pem(&pem) {
        Ok(found) => found,
        Err(why) => return Step::fail(STEP, format!("TrustedCertificates {}: {why}", path.display()), ADVICE),
    };
    const SHOWN: usize = 10;
    let usable = found.iter().filter(|one| !one.is_early(now) && !one.is_late(now)).count();
    let mut step = Step::ok(STEP, format!("{usable} of {} in {} can be used", found.len(), path.display()));
    for one in found.iter().take(SHOWN) {
        let name = one.common_name.as_deref().unwrap_or(&one.subject);
        step.details.push(format!("{name}, {}", one.validity_text(now)));
    }
    if found.len() > SHOWN {
        step.details.push(format!("and {} more", found.len() - SHOWN));
    }
    if usable == 0 {
        return Step { result: Outcome::Fail, ..step }.advise(ADVICE);
    }
    if found.iter().any(|one| one.is_late(now) || one.days_left(now) < SOON) {
        return Step { result: Outcome::Warn, ..step }
            .advise("an authority has expired or soon will: add its successor");
    }
    step
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: i64 = 24 * 3600;

    fn own(days: i64) -> Certificate {
        Certificate {
            common_name: Some("Trust.example.com".to_owned()),
            subject: "CN=Trust.example.com".to_owned(),
            issuer: "Authority".to_owned(),
            serial: "01".to_owned(),
            names: vec!["trust.example.com".to_owned()],
            not_before: 0,
            not_after: days * DAY,
            for_server: true,
            for_client: true,
        }
    }

    fn result(own: &Certificate, dialect: Dialect, computer: Option<&str>) -> Outcome {
        judged(own, dialect, computer, Timestamp::from_second(DAY).expect("a day")).result
    }

    #[test]
    fn thirty_days_are_enough_and_one_less_is_a_warning() {
        assert_eq!(result(&own(31), Dialect::Skype, None), Outcome::Ok);
        assert_eq!(result(&own(30), Dialect::Skype, None), Outcome::Warn);
        assert_eq!(result(&own(0), Dialect::Skype, None), Outcome::Fail);
    }

    #[test]
    fn a_computer_that_is_not_named_is_a_warning_where_its_full_name_is_known() {
        let own = own(99);
        assert_eq!(result(&own, Dialect::Skype, Some("ucc01.example.com")), Outcome::Warn);
        assert_eq!(result(&own, Dialect::Skype, Some("ucc01")), Outcome::Ok);
        assert_eq!(result(&own, Dialect::Skype, Some("trust.example.com")), Outcome::Ok);
    }

    #[test]
    fn the_rules_of_trusted_applications_bind_skype_for_business_only() {
        for broken in [
            Certificate { common_name: None, ..own(99) },
            Certificate { names: vec!["other.example.com".to_owned()], ..own(99) },
            Certificate { for_client: false, ..own(99) },
        ] {
            assert_eq!(result(&broken, Dialect::Skype, None), Outcome::Fail, "{broken:?}");
            assert_eq!(result(&broken, Dialect::Simple, None), Outcome::Warn, "{broken:?}");
        }
    }
}
