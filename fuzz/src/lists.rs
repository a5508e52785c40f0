//! Lists of resources, bodies in parts, events of a registration, and the list that we write ourselves.

use bytes::Bytes;
use presence_core::AgentUri;
use presence_sip::documents::{
    BatchAction, BatchActionName, DocumentError, DocumentLimits, RegistrationEvent, read_registration_event, read_rlmi,
    split_multipart, write_batch_subscribe,
};

/// The first byte says what the rest is.
pub(crate) fn run(data: &[u8]) {
    let Some((what, rest)) = data.split_first() else { return };
    match what % 4 {
        0 => list(rest),
        1 => parts(rest),
        2 => event(rest),
        _ => written(rest),
    }
}

fn list(data: &[u8]) {
    let limits = DocumentLimits::list();
    let Ok(list) = read_rlmi(data, &limits) else { return };
    let mut kept = 0;
    for resource in &list.resources {
        assert!(!resource.uri.is_empty() && resource.uri.len() <= limits.text);
        kept += resource.uri.len();
        for instance in &resource.instances {
            let texts = [&instance.cid, &instance.reason, &instance.pool_fqdn];
            kept +=
                instance.id.len() + texts.iter().filter_map(|text| text.as_ref().map(|text| text.len())).sum::<usize>();
        }
    }
    assert!(kept <= data.len(), "nothing is kept that was not said");
    let around = [data, b"<!-- a remark -->"].concat();
    assert_eq!(read_rlmi(&around, &limits).as_ref(), Ok(&list), "a remark behind says nothing");
}

/// The first line is the Content-Type.
fn parts(data: &[u8]) {
    let at = data.iter().position(|byte| *byte == b'\n').unwrap_or(data.len());
    let (content_type, body) = data.split_at(at);
    let content_type = String::from_utf8_lossy(content_type);
    let body = Bytes::copy_from_slice(body.get(1..).unwrap_or_default());
    let Ok(parts) = split_multipart(&content_type, &body, &DocumentLimits::list()) else { return };
    assert!(parts.len() <= 5_000 && parts.iter().map(|part| part.body.len()).sum::<usize>() <= body.len());
    // Put together again with a boundary that is in none of them, they are the same parts.
    const BOUNDARY: &str = "b0undary-of-nobody-51c2";
    let plain = |text: &str| !text.is_empty() && !text.contains(char::is_control) && text.trim() == text;
    let mut whole = Vec::new();
    for part in &parts {
        let cid = part.content_id.as_deref();
        let named = cid.is_none_or(|cid| plain(cid) && !cid.contains(['<', '>']) && !cid.starts_with("cid:"));
        let nested =
            part.content_type.trim_start().get(..10).is_some_and(|begin| begin.eq_ignore_ascii_case("multipart/"));
        if !named || !plain(&part.content_type) || nested || part.body.windows(7).any(|at| at == b"b0undar") {
            return;
        }
        whole.extend_from_slice(format!("--{BOUNDARY}\r\nContent-Type: {}\r\n", part.content_type).as_bytes());
        if let Some(cid) = cid {
            whole.extend_from_slice(format!("Content-ID: <{cid}>\r\n").as_bytes());
        }
        whole.extend_from_slice(b"\r\n");
        whole.extend_from_slice(&part.body);
        whole.extend_from_slice(b"\r\n");
    }
    whole.extend_from_slice(format!("--{BOUNDARY}--\r\n").as_bytes());
    let again =
        split_multipart(&format!("multipart/related;boundary={BOUNDARY}"), &whole.into(), &DocumentLimits::list());
    assert_eq!(again.as_ref(), Ok(&parts), "put together and parted again");
}

fn event(data: &[u8]) {
    if let Some(RegistrationEvent::Other(text)) = read_registration_event(data) {
        assert!(text.len() <= 256 && !text.contains(['\r', '\n']));
    }
}

/// URIs of agents, one in each line.
fn written(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let agents: Vec<AgentUri> = text.lines().take(300).filter_map(|line| AgentUri::parse(line).ok()).collect();
    let Some(own) = agents.first() else { return };
    let actions = [BatchActionName::Subscribe, BatchActionName::Unsubscribe].map(|name| BatchAction {
        name,
        id: u32::MAX,
        resources: &agents,
    });
    let body = write_batch_subscribe(own, &actions);
    // It is no list of resources, and that is all that is wrong with it.
    assert_eq!(read_rlmi(&body, &DocumentLimits::list()), Err(DocumentError::NotList), "what we write is XML");
    assert_eq!(body.windows(14).filter(|at| at == b"<resource uri=").count(), 2 * agents.len());
}
