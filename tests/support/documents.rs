//! Presence documents to publish: PIDF (RFC 3863) with the person of the data model (RFC 4479) and RPID (RFC 4480).

/// A person who is `activity` (an RPID element name such as `away`, `busy`, `on-the-phone`; `None` for no person at
/// all), with a tuple that is open or closed.
pub fn pidf(uri: &str, open: bool, activity: Option<&str>) -> String {
    let basic = if open { "open" } else { "closed" };
    let person = activity.map_or_else(String::new, |activity| {
        format!("<dm:person id=\"p1\"><rpid:activities><rpid:{activity}/></rpid:activities></dm:person>")
    });
    format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\
         <presence xmlns=\"urn:ietf:params:xml:ns:pidf\" xmlns:dm=\"urn:ietf:params:xml:ns:pidf:data-model\" \
         xmlns:rpid=\"urn:ietf:params:xml:ns:pidf:rpid\" entity=\"{uri}\">\
         <tuple id=\"t1\"><status><basic>{basic}</basic></status></tuple>{person}</presence>"
    )
}
