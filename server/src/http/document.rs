//! What the operations of the API have in common, told of each in the OpenAPI document.

use predilect_api::PROBLEM_CONTENT_TYPE;
use utoipa::openapi::{
    Content, Header, Object, OpenApi, Ref, RefOr, Response, ResponseBuilder, Schema, Type,
    path::{Operation, ParameterIn, PathItem},
    security::{ApiKey, ApiKeyValue, HttpAuthScheme, HttpBuilder, SecurityScheme},
};

use super::auth::SESSION_COOKIE;
use crate::parse::GenerationLimits;

/// Adds who may ask, the answers that any operation may give, and the loaded model's limits.
pub(super) fn complete(document: &mut OpenApi, limits: &GenerationLimits) {
    for path in document.paths.paths.values_mut() {
        operations(path).for_each(complete_operation);
    }
    let components = document.components.get_or_insert_default();
    components.add_security_scheme("session", session());
    components.add_security_scheme("api_token", api_token());
    if let Some(prompt) = components.schemas.get_mut("PromptText").and_then(object) {
        prompt.max_length = Some(limits.max_prompt_chars);
    }
    if let Some(steps) = components
        .schemas
        .get_mut("NewGeneration")
        .and_then(object)
        .and_then(|new| new.properties.get_mut("steps"))
        .and_then(object)
    {
        steps.maximum = Some((limits.max_steps() as usize).into());
    }
}

fn session() -> SecurityScheme {
    SecurityScheme::ApiKey(ApiKey::Cookie(ApiKeyValue::with_description(
        SESSION_COOKIE,
        "Set by POST /api/v1/session and by logging in.",
    )))
}

fn api_token() -> SecurityScheme {
    let token = HttpBuilder::new()
        .scheme(HttpAuthScheme::Bearer)
        .description(Some("Made by POST /api/v1/account/tokens."));
    SecurityScheme::Http(token.build())
}

fn operations(path: &mut PathItem) -> impl Iterator<Item = &mut Operation> {
    [
        &mut path.get,
        &mut path.put,
        &mut path.post,
        &mut path.delete,
        &mut path.patch,
    ]
    .into_iter()
    .flatten()
}

fn object(schema: &mut RefOr<Schema>) -> Option<&mut Object> {
    match schema {
        RefOr::T(Schema::Object(object)) => Some(object),
        _ => None,
    }
}

fn complete_operation(operation: &mut Operation) {
    for (status, response) in &mut operation.responses.responses {
        let RefOr::T(response) = response else {
            continue;
        };
        if status.starts_with(['4', '5']) {
            declare_problem(response);
        }
        // Where a handler leaves it out there is nothing to add, and OpenAPI 3.1 asks for one.
        if response.description.is_empty() {
            response.description = if status == "201" {
                "Created"
            } else {
                "As asked"
            }
            .into();
        }
    }
    let takes_parameters = operation.parameters.iter().flatten().any(|parameter| {
        matches!(parameter, RefOr::T(parameter)
            if matches!(parameter.parameter_in, ParameterIn::Path | ParameterIn::Query))
    });
    let takes_body = operation.request_body.is_some();
    let mut add = |status: &str, response: ResponseBuilder| {
        let responses = &mut operation.responses.responses;
        responses
            .entry(status.to_owned())
            .or_insert_with(|| response.build().into());
    };
    if takes_parameters || takes_body {
        add("400", problem("The address or the body can't be read"));
    }
    if takes_body {
        add("413", problem("The body is larger than this address takes"));
        add("415", problem("The body is not declared as JSON"));
    }
    let allow = Header::new(Object::with_type(Type::String));
    add(
        "405",
        problem("This address takes other methods").header("Allow", allow),
    );
    add("500", problem("Something went wrong on the server"));
}

fn problem(description: &str) -> ResponseBuilder {
    let schema = Ref::from_schema_name("Problem");
    ResponseBuilder::new()
        .description(description)
        .content(PROBLEM_CONTENT_TYPE, Content::new(Some(schema)))
}

/// A handler names its problems' schema; how problems are sent is the same for all.
fn declare_problem(response: &mut Response) {
    if let Some(content) = response.content.shift_remove("application/json") {
        response
            .content
            .insert(PROBLEM_CONTENT_TYPE.to_owned(), content);
    }
}
