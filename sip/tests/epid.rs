//! Epids, instances and GRUUs: the published pairs reproduce.
#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a test may panic, and a skipped one says why")]

use presence_sip::{Epid, Instance};

const TABLE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared/vectors/epid-uuid-gruu.csv");

#[test]
fn published_pairs_reproduce() {
    for (epid, uuid, gruu) in [
        ("01010101", "4b1682a8-f968-5701-83fc-7c6741dc6697", "qIIWS2j5AVeD_HxnQdxmlwAA"),
        ("84d3db8c23", "221ef77e-3a68-5570-86ed-6ea5bd4b7ff8", "fvceImg6cFWG7W6lvUt_-AAA"),
    ] {
        let instance = Epid::new(epid).unwrap().instance();
        assert_eq!((instance.urn(), instance.gruu_opaque()), (format!("urn:uuid:{uuid}"), gruu.into()));
    }
}

#[test]
fn the_whole_table_of_pairs_reproduces() {
    let Ok(table) = std::fs::read_to_string(TABLE) else {
        println!("skipped: the table of published pairs is not here");
        return;
    };
    let mut rows = 0;
    for row in table.lines().skip(1) {
        let mut fields = row.split(',');
        let (epid, uuid, gruu) = (fields.next().unwrap(), fields.next().unwrap(), fields.next().unwrap());
        let instance = Instance::parse(uuid).unwrap();
        assert_eq!(instance.urn(), format!("urn:uuid:{}", uuid.to_lowercase()), "{row}");
        if !epid.is_empty() {
            assert_eq!(Epid::new(epid).unwrap().instance(), instance, "{row}");
        }
        if !gruu.is_empty() {
            assert_eq!(instance.gruu_opaque(), gruu, "{row}");
        }
        rows += 1;
    }
    assert_eq!(rows, 8);
}

#[test]
fn an_epid_follows_from_its_seed_for_ever() {
    let epid = Epid::of("sip:app@domain.com");
    assert_eq!(epid, Epid::of("sip:app@domain.com"));
    assert_ne!(epid, Epid::of("sip:app2@domain.com"));
    assert_eq!(Epid::of("abc").as_str(), "a9993e3647", "the SHA-1 of abc in FIPS 180 begins with it");
    assert_eq!(Epid::new(epid.as_str()), Some(epid));
}

#[test]
fn only_1_to_16_hexadecimal_digits_are_an_epid() {
    for text in ["", "0123456789abcdef0", "xyz", "12 34", "12-34", "é1"] {
        assert_eq!(Epid::new(text), None, "{text}");
    }
    for text in ["0", "0123456789abcdef", "84D3DB8C23"] {
        assert_eq!(Epid::new(text).unwrap().to_string(), text);
    }
}

#[test]
fn an_instance_is_read_as_a_contact_echoes_it() {
    let plain = Instance::parse("b43b3d1d-9f8f-5fdc-9f74-3ca273cadb97").unwrap();
    for text in [
        "<urn:uuid:B43B3D1D-9F8F-5FDC-9F74-3CA273CADB97>",
        "urn:uuid:b43b3d1d-9f8f-5fdc-9f74-3ca273cadb97",
        " B43B3D1D-9F8F-5FDC-9F74-3CA273CADB97 ",
    ] {
        assert_eq!(Instance::parse(text), Some(plain), "{text}");
    }
    for text in [
        "",
        "urn:uuid:",
        "b43b3d1d9f8f5fdc9f743ca273cadb97",
        "b43b3d1d-9f8f-5fdc-9f74-3ca273cadb9",
        "b43b3d1d-9f8f-5fdc-9f74-3ca273cadbzz",
        "b43b3d1-d9f8f-5fdc-9f74-3ca273cadb97",
        "ééééééééé-ééé-5fdc-9f74-3ca273cadb97",
    ] {
        assert_eq!(Instance::parse(text), None, "{text}");
    }
}
