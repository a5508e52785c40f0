//! What is inside the program that the package brings, for who must know: `packaging/sbom` starts it.
//!
//! ```sh
//! cargo run --example bill_of_materials -- sbom        # CycloneDX 1.5, JSON
//! cargo run --example bill_of_materials -- licences    # the texts of the licences of all that is inside
//! ```
//!
//! The same sources give the same bytes: no time, no random number, no path of this machine.

use std::io::Write;
use std::path::Path;

mod cyclonedx;
mod inside;
mod texts;

fn main() -> anyhow::Result<()> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let text = match std::env::args().nth(1).as_deref() {
        Some("sbom") => cyclonedx::document(&inside::Inside::read(root)?),
        Some("licences") => texts::all(root, &inside::Inside::read(root)?)?,
        _ => anyhow::bail!("say `sbom` or `licences`"),
    };
    std::io::stdout().write_all(text.as_bytes())?;
    Ok(())
}
