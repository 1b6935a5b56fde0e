//! The page: wasm, its JavaScript, one stylesheet and the static files, into `dist/`.
//!
//! Every file under `dist/assets/` carries a hash of its content in its name, so that it may
//! be cached for ever; beside each lies a brotli copy (`.br`).

use crate::checkout::Checkout;
use crate::program::{self, announce, note};
use crate::setup::{
    self,
    wasm::{TARGET, WasmToolchain},
};
use anyhow::{Context, Result};
use sha2::{Digest, Sha256};
use std::fmt::Write as _;
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use wasm_bindgen_cli_support::Bindgen;

/// What the folders that the page is put together in begin with.
const STAGE_PREFIX: &str = ".dist-";

/// Sets up what the page needs and builds it.
///
/// # Errors
/// As [`build`] and the set-up.
pub(crate) fn set_up_and_build(checkout: &Checkout) -> Result<()> {
    build(checkout, &setup::for_the_page(checkout)?)
}

/// Builds the page into `dist/`, unless what is there was made from the same inputs.
///
/// # Errors
/// When it doesn't compile, or a file can't be read or written.
pub(crate) fn build(checkout: &Checkout, toolchain: &WasmToolchain) -> Result<()> {
    announce("building the page");
    program::fetch(
        toolchain
            .cargo(&checkout.root)?
            .args([
                "build",
                "--locked",
                "--package",
                "predilect-frontend",
                "--profile",
                "wasm-release",
            ])
            .args(["--target", TARGET])
            .env("CARGO_TARGET_DIR", &checkout.wasm_target),
    )?;
    let wasm = checkout
        .wasm_target
        .join(TARGET)
        .join("wasm-release/predilect_frontend.wasm");
    let frontend = checkout.root.join("frontend");
    let _lock = setup::lock(
        &checkout.wasm_target.join("dist.lock"),
        "another command puts the page together",
    )?;
    setup::sweep(&checkout.root, STAGE_PREFIX)?;
    let sources = Sources::gather(&frontend, wasm)?;
    let inputs = sources.hash()?;
    let stamp = checkout.wasm_target.join("dist-stamp");
    let page = checkout.dist().join("index.html");
    if page.is_file() && fs::read_to_string(&stamp).is_ok_and(|made_from| made_from == inputs) {
        note("dist/ is up to date");
        return Ok(());
    }

    let stage = tempfile::Builder::new()
        .prefix(STAGE_PREFIX)
        .tempdir_in(&checkout.root)?;
    sources.write(stage.path(), &frontend)?;
    let dist = checkout.dist();
    if dist.exists() {
        fs::remove_dir_all(&dist)?;
    }
    // tempdir makes it readable by its owner alone; the page is for whoever serves it.
    let stage = stage.keep();
    fs::set_permissions(&stage, std::os::unix::fs::PermissionsExt::from_mode(0o755))?;
    fs::rename(&stage, &dist).with_context(|| format!("moving the page to {}", dist.display()))?;
    fs::write(stamp, inputs)?;
    report(&dist.join("assets"))
}

/// What the page is made of.
struct Sources {
    wasm: PathBuf,
    page: PathBuf,
    /// In the order of the cascade.
    stylesheets: Vec<PathBuf>,
    /// Small scripts; they may name the wasm's JavaScript module.
    scripts: Vec<Asset>,
    /// Fonts and icons, named by the page and the stylesheets.
    media: Vec<Asset>,
}

/// A file that others name as `{{name}}`.
struct Asset {
    name: &'static str,
    path: PathBuf,
}

impl Sources {
    fn gather(frontend: &Path, wasm: PathBuf) -> Result<Self> {
        let mut stylesheets = Vec::new();
        find_stylesheets(&frontend.join("src"), &mut stylesheets)?;
        stylesheets.sort();
        stylesheets.splice(
            0..0,
            ["styles/theme.css", "styles/base.css"].map(|sheet| frontend.join(sheet)),
        );
        let asset = |name, path: &str| Asset {
            name,
            path: frontend.join(path),
        };
        let font = |name, family: &str| {
            let file = format!("{family}/files/{family}-latin-wght-normal.woff2");
            asset(name, &format!("node_modules/@fontsource-variable/{file}"))
        };
        Ok(Self {
            wasm,
            page: frontend.join("public/index.html"),
            stylesheets,
            scripts: vec![
                asset("theme.js", "public/theme.js"),
                asset("start.js", "public/start.js"),
            ],
            media: vec![
                font("display.woff2", "bricolage-grotesque"),
                font("text.woff2", "figtree"),
                asset("icon.svg", "public/icon.svg"),
            ],
        })
    }

    /// One hash over all inputs and over this program, which shapes the output.
    fn hash(&self) -> Result<String> {
        let this_program = std::env::current_exe()?;
        let assets = self
            .scripts
            .iter()
            .chain(&self.media)
            .map(|asset| &asset.path);
        let mut hasher = Sha256::new();
        for path in [&this_program, &self.wasm, &self.page]
            .into_iter()
            .chain(&self.stylesheets)
            .chain(assets)
        {
            hasher.update(read(path)?);
        }
        Ok(hex(&hasher.finalize()))
    }

    fn write(&self, stage: &Path, frontend: &Path) -> Result<()> {
        let assets = stage.join("assets");
        fs::create_dir(&assets)?;
        let module = self.write_wasm(&assets, frontend)?;
        let mut names = Names(vec![
            ("module.js".to_owned(), format!("/assets/{module}.js")),
            (
                "module.wasm".to_owned(),
                format!("/assets/{module}_bg.wasm"),
            ),
        ]);
        for media in &self.media {
            names.place(&assets, media.name, &read(&media.path)?)?;
        }
        for script in &self.scripts {
            let code = names.fill(&fs::read_to_string(&script.path)?);
            names.place(&assets, script.name, code.as_bytes())?;
        }
        let sheets: Result<String, _> = self.stylesheets.iter().map(fs::read_to_string).collect();
        let css = names.fill(&sheets.context("reading the stylesheets")?);
        names.place(&assets, "predilect.css", css.as_bytes())?;
        fs::write(
            stage.join("index.html"),
            names.fill(&fs::read_to_string(&self.page)?),
        )?;
        compress_all(stage)?;
        compress_all(&assets)
    }

    /// Runs wasm-bindgen and wasm-opt; returns the JavaScript module's name without `.js`.
    fn write_wasm(&self, assets: &Path, frontend: &Path) -> Result<String> {
        let module = format!("predilect-{}", short_hash(&read(&self.wasm)?));
        Bindgen::new()
            .input_path(&self.wasm)
            .web(true)?
            .typescript(false)
            .omit_default_module_path(false)
            .remove_name_section(true)
            .remove_producers_section(true)
            .out_name(&module)
            .generate(assets)
            .context("wasm-bindgen")?;
        let wasm = assets.join(format!("{module}_bg.wasm"));
        // npm's binaryen: Debian 12's version 108 writes modules that fail at start-up.
        program::run(
            Command::new("node")
                .arg(frontend.join("node_modules/binaryen/bin/wasm-opt"))
                .arg("-Oz")
                .arg(&wasm)
                .arg("-o")
                .arg(&wasm),
        )?;
        Ok(module)
    }
}

/// The URLs that stand for `{{name}}` in the page, the scripts and the stylesheets.
struct Names(Vec<(String, String)>);

impl Names {
    /// Writes an asset under a name with its content's hash and remembers its URL.
    fn place(&mut self, assets: &Path, name: &str, content: &[u8]) -> Result<()> {
        let file = write_hashed(assets, name, content)?;
        self.0.push((name.to_owned(), format!("/assets/{file}")));
        Ok(())
    }

    fn fill(&self, text: &str) -> String {
        self.0.iter().fold(text.to_owned(), |text, (name, url)| {
            text.replace(&format!("{{{{{name}}}}}"), url)
        })
    }
}

fn find_stylesheets(folder: &Path, found: &mut Vec<PathBuf>) -> Result<()> {
    for entry in fs::read_dir(folder).with_context(|| format!("reading {}", folder.display()))? {
        let path = entry?.path();
        if path.is_dir() {
            find_stylesheets(&path, found)?;
        } else if path.extension().is_some_and(|extension| extension == "css") {
            found.push(path);
        }
    }
    Ok(())
}

fn read(path: &Path) -> Result<Vec<u8>> {
    fs::read(path).with_context(|| format!("reading {}", path.display()))
}

/// Writes `name.ext` as `name-HASH.ext` and returns that name.
fn write_hashed(folder: &Path, name: &str, content: &[u8]) -> Result<String> {
    let (stem, extension) = name.rsplit_once('.').context("an asset has an extension")?;
    let file = format!("{stem}-{}.{extension}", short_hash(content));
    fs::write(folder.join(&file), content)?;
    Ok(file)
}

fn short_hash(content: &[u8]) -> String {
    hex(&Sha256::digest(content)[..8])
}

/// Bytes as lower-case hexadecimal digits.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        // Writing to a String can't fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// Puts a brotli copy beside every file that gets smaller by it.
fn compress_all(folder: &Path) -> Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        // woff2 is brotli inside already.
        if path.is_dir()
            || path
                .extension()
                .is_some_and(|extension| extension == "woff2")
        {
            continue;
        }
        let mut name = path.clone().into_os_string();
        name.push(".br");
        // 11: best quality; 22: the largest window browsers accept.
        let mut writer = brotli::CompressorWriter::new(fs::File::create(name)?, 4096, 11, 22);
        writer.write_all(&fs::read(&path)?)?;
        writer.flush()?;
    }
    Ok(())
}

fn report(assets: &Path) -> Result<()> {
    let mut sizes = Vec::new();
    for entry in fs::read_dir(assets)? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        if name.ends_with(".br") || name.ends_with(".woff2") {
            sizes.push(format!(
                "{:>7.1} KB  {name}",
                entry.metadata()?.len() as f64 / 1000.0
            ));
        }
    }
    sizes.sort();
    sizes.iter().for_each(|line| note(line));
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::{hex, write_hashed};

    #[test]
    fn an_asset_is_named_after_its_content() {
        let folder = tempfile::tempdir().unwrap();
        let first = write_hashed(folder.path(), "a.css", b"one").unwrap();
        let second = write_hashed(folder.path(), "a.css", b"two").unwrap();
        assert_ne!(first, second);
        assert!(first.starts_with("a-") && first.ends_with(".css"));
        assert_eq!(std::fs::read(folder.path().join(first)).unwrap(), b"one");
    }

    #[test]
    fn hex_keeps_leading_zeros() {
        assert_eq!(hex(&[0, 10, 255]), "000aff");
    }
}
