use std::io::ErrorKind;

use crate::app::AppState;

/// Removes the files of pictures whose rows are deleted. What can't be removed now is tried
/// again at the next start.
pub(crate) async fn remove_discarded(app: &AppState) -> sqlx::Result<()> {
    let mut removed = vec![];
    for id in app.store.discarded_images().await? {
        match app.files.remove(&id).await {
            Ok(()) => {}
            // A server that was killed between the two steps had removed it.
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            Err(error) => {
                tracing::error!(picture = %id, %error, "a deleted picture's file stays");
                continue;
            }
        }
        removed.push(id);
    }
    // Together, as each write waits for the disk and there may be ten thousand.
    app.store.forget_discarded(&removed).await
}
