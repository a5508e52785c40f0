//! The description of the API, as clients are generated from it.
#![allow(clippy::unwrap_used, missing_docs, reason = "tests")]

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use presence_provider::http::description;
use serde_json::Value;

fn document() -> Value {
    serde_json::to_value(description()).unwrap()
}

/// Every operation: method and path, and its text.
fn operations() -> Vec<(String, Value)> {
    let document = document();
    let mut found = Vec::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            if operation.is_object() {
                found.push((format!("{method} {path}"), operation.clone()));
            }
        }
    }
    assert!(found.len() > 20, "{found:?}");
    found
}

#[test]
fn the_description_in_docs_is_the_one_that_the_program_serves() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/openapi.json");
    let generated = serde_json::to_string_pretty(&description()).unwrap() + "\n";
    if std::env::var_os("RENEW_OPENAPI").is_some() {
        fs::write(&path, &generated).unwrap();
    }
    let checked_in = fs::read_to_string(&path).unwrap_or_default();
    assert!(
        checked_in == generated,
        "docs/openapi.json is not what the code describes; renew it with\n  \
         RENEW_OPENAPI=1 cargo test --test http_openapi\nand look at what has changed for clients"
    );
}

#[test]
fn every_operation_says_what_it_is_for_what_it_needs_and_how_it_fails() {
    for (name, operation) in operations() {
        let says = |status: &str| operation["responses"][status].is_object();
        let is_free = ["/health/", "/openapi.json", " /graph/notifications"].iter().any(|path| name.contains(path));
        assert!(operation["summary"].as_str().is_some_and(|text| !text.is_empty()), "{name} has no summary");
        assert_eq!(operation["tags"].as_array().map(Vec::len), Some(1), "{name}");
        assert_eq!(operation["security"].as_array().is_some_and(|one| !one.is_empty()), !is_free, "{name}: security");
        assert!(says("400") && says("403"), "{name}: 400, 403");
        assert_eq!(says("401"), !is_free, "{name}: 401");
        assert_eq!(says("429"), !name.contains(" /health/"), "{name}: 429");
        if operation["requestBody"].is_object() {
            assert!(says("408") && says("413") && says("415"), "{name}: 408, 413, 415");
        }
        for (status, response) in operation["responses"].as_object().unwrap() {
            if status.starts_with(['4', '5']) && !name.contains(" /health/") {
                let problem = &response["content"]["application/problem+json"]["schema"]["$ref"];
                assert_eq!(problem, "#/components/schemas/Problem", "{name}: {status}");
            }
            assert!(response["description"].as_str().is_some_and(|text| !text.is_empty()), "{name}: {status}");
        }
        for parameter in operation["parameters"].as_array().into_iter().flatten() {
            let said = parameter["description"].as_str().is_some_and(|text| !text.is_empty());
            assert!(said, "{name}: the parameter {} has no description", parameter["name"]);
        }
    }
}

#[test]
fn operations_have_names_of_their_own_and_every_reference_leads_somewhere() {
    let operations = operations();
    let names: BTreeSet<_> =
        operations.iter().map(|(_, operation)| operation["operationId"].as_str().unwrap()).collect();
    assert_eq!(names.len(), operations.len(), "{names:?}");
    let document = document();
    let text = document.to_string();
    for reference in text.split("\"$ref\":\"#").skip(1) {
        let pointer = reference.split('"').next().unwrap();
        assert!(document.pointer(pointer).is_some(), "#{pointer} is not there");
    }
    assert_eq!(document["info"]["version"], env!("CARGO_PKG_VERSION"));
    assert_eq!(document["components"]["securitySchemes"]["bearer"]["scheme"], "bearer");
}
