//! The bill of materials as CycloneDX 1.5.

use serde_json::{Value, json};

use super::inside::{Inside, Name, Part};

/// How others name a package of crates.io, and what we name ours by.
fn purl((name, version): &Name) -> String {
    format!("pkg:cargo/{name}@{version}")
}

/// The whole document.
pub(crate) fn document(inside: &Inside) -> String {
    let others = || inside.parts.iter().filter(|(name, _)| **name != inside.program);
    let components: Vec<_> = others().map(|(name, part)| component("library", name, part)).collect();
    let dependencies: Vec<_> = inside
        .parts
        .iter()
        .map(|(name, part)| json!({"ref": purl(name), "dependsOn": part.needs.iter().map(purl).collect::<Vec<_>>()}))
        .collect();
    let program = &inside.parts[&inside.program];
    let document = json!({
        "bomFormat": "CycloneDX",
        "specVersion": "1.5",
        "version": 1,
        "metadata": {"component": component("application", &inside.program, program)},
        "components": components,
        "dependencies": dependencies,
    });
    format!("{document:#}\n")
}

fn component(kind: &str, name: &Name, part: &Part) -> Value {
    let mut component = json!({
        "type": kind,
        "bom-ref": purl(name),
        "name": name.0,
        "version": name.1,
        // What runs only while the program is built is not in it.
        "scope": if part.is_linked { "required" } else { "excluded" },
        "licenses": [{"expression": part.licence}],
    });
    if let Some(checksum) = &part.checksum {
        component["hashes"] = json!([{"alg": "SHA-256", "content": checksum}]);
        component["purl"] = json!(purl(name));
    }
    component
}
