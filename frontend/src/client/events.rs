use super::ROOT;
use predilect_api::{GenerationEvent, GenerationId};
use wasm_bindgen::JsCast;
use wasm_bindgen::closure::Closure;
use web_sys::{EventSource, MessageEvent};

const NAMES: [&str; 6] = ["queued", "step", "image", "done", "failed", "cancelled"];

/// What a stream of events has to say.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum WatchNews {
    /// The server sent an event.
    Event(Box<GenerationEvent>),
    /// The stream is open, for the first time or again.
    Connected,
    /// The stream was lost and the browser connects again, with `Last-Event-ID`.
    Reconnecting,
    /// The stream was lost and the browser gave up.
    Lost,
}

/// An open stream of a generation's events; dropping it closes the stream.
pub(crate) struct Watch {
    source: EventSource,
    // The browser calls these for as long as the stream is open.
    _on_event: Closure<dyn FnMut(MessageEvent)>,
    _on_change: Closure<dyn FnMut()>,
}

impl Watch {
    /// Opens the stream; `tell` hears of all that comes. `None` where the browser can't.
    pub(crate) fn open(
        id: &GenerationId,
        tell: impl Fn(WatchNews) + Clone + 'static,
    ) -> Option<Self> {
        let source = EventSource::new(&format!("{ROOT}/generations/{id}/events")).ok()?;
        let on_event = Closure::new({
            let (tell, source) = (tell.clone(), source.clone());
            move |message: MessageEvent| {
                let event = message
                    .data()
                    .as_string()
                    .and_then(|data| serde_json::from_str(&data).ok());
                let Some(event) = event else { return };
                // Else the browser takes the stream's end for a lost connection.
                if GenerationEvent::is_final(&event) {
                    source.close();
                }
                tell(WatchNews::Event(Box::new(event)));
            }
        });
        for name in NAMES {
            source
                .add_event_listener_with_callback(name, on_event.as_ref().unchecked_ref())
                .ok()?;
        }
        let on_change = Closure::new({
            let source = source.clone();
            move || {
                tell(match source.ready_state() {
                    EventSource::OPEN => WatchNews::Connected,
                    EventSource::CONNECTING => WatchNews::Reconnecting,
                    _ => WatchNews::Lost,
                });
            }
        });
        source.set_onopen(Some(on_change.as_ref().unchecked_ref()));
        source.set_onerror(Some(on_change.as_ref().unchecked_ref()));
        Some(Self {
            source,
            _on_event: on_event,
            _on_change: on_change,
        })
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.source.set_onopen(None);
        self.source.set_onerror(None);
        self.source.close();
    }
}
