//! The parts that pages are made of, each with its stylesheet beside it.

pub(crate) mod choice_progress;
pub(crate) mod confirm;
pub(crate) mod easel;
pub(crate) mod form;
pub(crate) mod header;
pub(crate) mod notice;
pub(crate) mod page_heading;
pub(crate) mod pair_pictures;
pub(crate) mod profile_entry;
pub(crate) mod profile_picker;
pub(crate) mod prompt_form;
pub(crate) mod recent_pictures;
pub(crate) mod strength_slider;
pub(crate) mod taste_form;
pub(crate) mod text_field;
pub(crate) mod theme_toggle;
pub(crate) mod wordmark;
