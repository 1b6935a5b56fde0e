use wasm_bindgen_futures::JsFuture;
use web_sys::HtmlImageElement;

/// Fetches and decodes pictures, so that they show at once afterwards. One that can't be
/// loaded is left to the `<img>` that shows it, with its alt text.
pub(crate) async fn preload(urls: &[&str]) {
    let decoding: Vec<JsFuture> = urls
        .iter()
        .filter_map(|url| {
            let image = HtmlImageElement::new().ok()?;
            image.set_src(url);
            Some(JsFuture::from(image.decode()))
        })
        .collect();
    for decoded in decoding {
        let _ = decoded.await;
    }
}
