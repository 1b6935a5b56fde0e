//! Finished pictures.

use super::{Answer, ClientError, builder, read, send, send_json, settle};
use gloo_net::http::Method;
use predilect_api::{
    ChangeImage, ImageArchive, ImageDetails, ImageId, ImageIdList, ImageList, ImageSelection,
};

/// Which of the person's pictures are asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct ImageFilter {
    /// Words of the prompt.
    pub(crate) search: String,
    /// A profile's id, `none` for the base model, or nothing for all.
    pub(crate) profile: String,
    /// Only favourites.
    pub(crate) favourites: bool,
}

impl ImageFilter {
    /// Whether everything fits.
    pub(crate) fn is_open(&self) -> bool {
        *self == Self::default()
    }

    fn query(&self) -> impl Iterator<Item = (&'static str, String)> {
        let text = |name, value: &str| (!value.is_empty()).then(|| (name, value.to_owned()));
        [
            text("search", self.search.trim()),
            text("profile", &self.profile),
            self.favourites.then(|| ("favourites", "true".to_owned())),
        ]
        .into_iter()
        .flatten()
    }
}

/// A part of the pictures that fit, newest first, and how many fit.
pub(crate) async fn images(filter: &ImageFilter, offset: u32, limit: u32) -> Answer<ImageList> {
    let window = [("offset", offset), ("limit", limit)].map(|(name, n)| (name, n.to_string()));
    let request = builder(Method::GET, "/images")
        .query(filter.query().chain(window))
        .build()
        .map_err(|_| ClientError::Unreachable)?;
    read(settle(request.send().await).await?).await
}

/// All that fit, newest first.
pub(crate) async fn image_ids(filter: &ImageFilter) -> Answer<Vec<ImageId>> {
    let request = builder(Method::GET, "/images/ids")
        .query(filter.query())
        .build()
        .map_err(|_| ClientError::Unreachable)?;
    let list: ImageIdList = read(settle(request.send().await).await?).await?;
    Ok(list.ids)
}

pub(crate) async fn image_details(id: &str) -> Answer<ImageDetails> {
    read(send(Method::GET, &format!("/images/{id}/details")).await?).await
}

pub(crate) async fn mark_favourite(id: &ImageId, favourite: bool) -> Answer<ImageDetails> {
    let path = format!("/images/{id}");
    read(send_json(Method::PATCH, &path, &ChangeImage { favourite }).await?).await
}

pub(crate) async fn delete_images(ids: Vec<ImageId>) -> Answer<()> {
    let selection = ImageSelection { ids };
    send_json(Method::POST, "/images/deletion", &selection)
        .await
        .map(drop)
}

/// Where the pictures can be downloaded as one ZIP archive.
pub(crate) async fn archive_images(ids: Vec<ImageId>) -> Answer<String> {
    let selection = ImageSelection { ids };
    let archive: ImageArchive =
        read(send_json(Method::POST, "/images/archives", &selection).await?).await?;
    Ok(archive.url)
}
