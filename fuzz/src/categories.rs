//! Microsoft's presence categories: the same rules as for PIDF, and what an agent's categories come to.

use presence_core::SourceNetwork;
use presence_sip::documents::{
    AgentCategories, DocumentLimits, read_categories, read_categories_uri, read_category_value,
};

pub(crate) fn run(data: &[u8]) {
    let limits = DocumentLimits::default();
    drop(read_category_value(data, &limits));
    let uri = read_categories_uri(data, &limits);
    assert!(uri.as_ref().is_none_or(|uri| uri.len() <= limits.text));
    let Ok(document) = read_categories(data, &limits) else { return };
    let around = |before: &[u8], after: &[u8]| read_categories(&[before, data, after].concat(), &limits);
    assert_eq!(around(b"", b"\n<!-- a remark -->\n").as_ref(), Ok(&document), "a remark behind says nothing");
    assert!(around(b"", b"<another/>").is_err(), "a document has one root");
    assert_eq!(document.uri.as_deref(), uri.as_deref(), "whose it is, is read in one way");
    let mut agent = AgentCategories::default();
    agent.apply(&document.categories);
    let status = agent.status(SourceNetwork::SameEnterprise);
    assert!(status.activity.as_ref().is_none_or(|text| text.len() <= limits.text));
    assert!(status.location.as_ref().is_none_or(|text| text.len() <= limits.text));
    let mut again = agent.clone();
    again.apply(&document.categories);
    assert_eq!(again.status(SourceNetwork::SameEnterprise), status, "saying it twice changes nothing");
}
