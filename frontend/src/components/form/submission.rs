use crate::client::{Answer, ClientError};
use leptos::prelude::*;
use leptos::task::spawn_local;

/// What becomes of a form that was sent.
#[derive(Clone, Copy)]
pub(crate) struct Submission {
    /// The fields that show their faults themselves, as the API calls them.
    fields: &'static [&'static str],
    /// Whether an answer is awaited.
    busy: RwSignal<bool>,
    /// Why the last try came to nothing.
    pub(crate) error: RwSignal<Option<ClientError>>,
    /// What the page itself sees to be wrong: the field, and what it must be.
    fault: RwSignal<Option<(&'static str, String)>>,
}

impl Submission {
    pub(crate) fn new(fields: &'static [&'static str]) -> Self {
        Self {
            fields,
            busy: RwSignal::new(false),
            error: RwSignal::new(None),
            fault: RwSignal::new(None),
        }
    }

    /// Sends `request`, unless another one is under way, and hands on what comes of it. What
    /// is refused is kept to be shown.
    pub(crate) fn send<T: 'static>(
        self,
        request: impl Future<Output = Answer<T>> + 'static,
        then: impl FnOnce(T) + 'static,
    ) {
        if self.busy.get_untracked() {
            return;
        }
        self.busy.set(true);
        self.forget_error();
        spawn_local(async move {
            let answer = request.await;
            // The form may have gone from the page meanwhile, and whoever waits for the answer.
            if self.busy.try_set(false).is_some() {
                return;
            }
            match answer {
                Ok(answer) => then(answer),
                Err(refused) => self.error.set(Some(refused)),
            }
        });
    }

    /// Refuses a field without asking the server.
    pub(crate) fn refuse(self, field: &'static str, message: impl Into<String>) {
        self.fault.set(Some((field, message.into())));
    }

    /// Takes back what was said against the last try.
    pub(crate) fn forget_error(self) {
        self.error.set(None);
        self.fault.set(None);
    }

    pub(crate) fn is_busy(self) -> bool {
        self.busy.get()
    }

    pub(crate) fn is_refused(self) -> bool {
        self.error.read().is_some() || self.fault.read().is_some()
    }

    /// What is wrong about one field.
    pub(crate) fn about(self, field: &str) -> Option<String> {
        let fault = self.fault.get().filter(|(at, _)| *at == field);
        fault
            .map(|(_, message)| message)
            .or_else(|| self.error.read().as_ref()?.about(field))
    }

    /// What is wrong besides the fields.
    pub(crate) fn beyond(self) -> Option<String> {
        self.error.read().as_ref()?.beyond(self.fields)
    }
}
