//! The frame around all pages, and the routes.

use crate::components::header::Header;
use crate::pages::{
    Account, AdminSurvey, AdminSurveys, Choose, Create, Gallery, NotFound, Profiles, Survey,
};
use leptos::prelude::*;
use leptos_router::components::{Route, Router, Routes};
use leptos_router::path;

#[component]
pub(crate) fn App() -> impl IntoView {
    view! {
        <Router>
            <Header />
            <main class="page">
                <Routes fallback=NotFound>
                    <Route path=path!("/") view=Choose />
                    <Route path=path!("/create") view=Create />
                    <Route path=path!("/gallery") view=Gallery />
                    <Route path=path!("/profiles") view=Profiles />
                    <Route path=path!("/surveys/:id") view=Survey />
                    <Route path=path!("/account") view=Account />
                    <Route path=path!("/admin/surveys") view=AdminSurveys />
                    <Route path=path!("/admin/surveys/:id") view=AdminSurvey />
                </Routes>
            </main>
        </Router>
    }
}
