//! Whether an answer is one that the OpenAPI document promises. Every answer of every test is
//! looked up, so that the document can't fall behind what the server does.

use std::sync::OnceLock;

use predilect_server::{http, parse::GenerationLimits};
use reqwest::{Method, StatusCode};
use serde_json::Value;

use crate::support::{Answer, engine};

/// The document of a server that draws with the model that ships.
pub(crate) fn openapi() -> utoipa::openapi::OpenApi {
    http::openapi(&GenerationLimits::of(engine().info()))
}

/// The same as JSON.
pub(crate) fn document() -> &'static Value {
    static DOCUMENT: OnceLock<Value> = OnceLock::new();
    DOCUMENT.get_or_init(|| serde_json::to_value(openapi()).unwrap())
}

/// Every operation of the document: its method and the template of its path.
pub(crate) fn operations() -> Vec<(Method, &'static str)> {
    let mut operations = vec![];
    for (template, item) in document()["paths"].as_object().unwrap() {
        for method in item.as_object().unwrap().keys() {
            let method = method.to_uppercase().parse().unwrap();
            operations.push((method, template.as_str()));
        }
    }
    operations
}

/// A path with `id` in the place of each parameter.
pub(crate) fn with_ids(template: &str, id: &str) -> String {
    let parts = template.split('/');
    let parts = parts.map(|part| if part.starts_with('{') { id } else { part });
    parts.collect::<Vec<_>>().join("/")
}

/// Panics when the answer to a request of the API has a status, a media type or a body that
/// the document lacks.
#[track_caller]
pub(crate) fn expect_documented(method: &Method, path: &str, answer: &Answer) {
    if !path.starts_with("/api/v1/") || path == "/api/v1/openapi.json" {
        return;
    }
    let status = answer.status;
    let Some(template) = template_of(path) else {
        assert_eq!(status, StatusCode::NOT_FOUND, "{path} is not documented");
        return;
    };
    let name = if method == Method::HEAD {
        "get"
    } else {
        &method.as_str().to_lowercase()
    };
    let operation = &document()["paths"][template][name];
    if operation.is_null() {
        assert_eq!(status, StatusCode::METHOD_NOT_ALLOWED, "{method} {path}");
        return;
    }
    let at = format!("{method} {template}, {status}");
    let response = &operation["responses"][status.as_str()];
    assert!(!response.is_null(), "{at}: the document lacks this status");
    let Some(content) = response["content"].as_object() else {
        assert!(
            answer.body.is_empty(),
            "{at}: a body, and none is documented"
        );
        return;
    };
    let media_type = answer.header("content-type").split(';').next().unwrap();
    let content = content.get(media_type);
    let content = content.unwrap_or_else(|| panic!("{at}: {media_type} is not documented"));
    if media_type.ends_with("json") && !answer.body.is_empty() {
        let found = violations(&content["schema"], &answer.json(), "");
        assert!(found.is_empty(), "{at}: {found:?} in {}", answer.json());
    }
}

/// The path's template: of several that fit, the one with the fewest parameters.
fn template_of(path: &str) -> Option<&'static str> {
    let segments: Vec<_> = path.split('/').collect();
    let fits = |template: &&str| {
        let parts: Vec<_> = template.split('/').collect();
        let same = |(part, segment): (&&str, &&str)| {
            part == segment || (part.starts_with('{') && !segment.is_empty())
        };
        parts.len() == segments.len() && parts.iter().zip(&segments).all(same)
    };
    document()["paths"]
        .as_object()
        .unwrap()
        .keys()
        .map(String::as_str)
        .filter(fits)
        .min_by_key(|template| template.matches('{').count())
}

/// Where a value differs from its schema, in as much of JSON Schema as the document uses.
pub(crate) fn violations(schema: &Value, value: &Value, at: &str) -> Vec<String> {
    let mut found = vec![];
    if let Some(name) = schema["$ref"].as_str() {
        let name = name.rsplit('/').next().unwrap();
        found.extend(violations(
            &document()["components"]["schemas"][name],
            value,
            at,
        ));
    }
    if let Some(one_of) = schema["oneOf"].as_array() {
        let fitting = one_of
            .iter()
            .filter(|one| violations(one, value, at).is_empty());
        if fitting.count() != 1 {
            found.push(format!("{at} fits not exactly one of its forms"));
        }
    }
    let types: Vec<_> = match &schema["type"] {
        Value::Array(types) => types.iter().filter_map(Value::as_str).collect(),
        one => one.as_str().into_iter().collect(),
    };
    if !types.is_empty() && !types.iter().any(|one| is_of(value, one)) {
        found.push(format!("{at} is {value}, not of {types:?}"));
    }
    let outside = |bound: &str, beyond: fn(f64, f64) -> bool| {
        let (bound, value) = (schema[bound].as_f64(), value.as_f64());
        bound
            .zip(value)
            .is_some_and(|(bound, value)| beyond(value, bound))
    };
    if outside("minimum", |value, least| value < least)
        || outside("maximum", |value, most| value > most)
        || schema["enum"]
            .as_array()
            .is_some_and(|allowed| !allowed.contains(value))
    {
        found.push(format!("{at} is {value}, which is out of bounds"));
    }
    if let (Some(items), Some(_)) = (value.as_array(), schema.get("items")) {
        for (index, item) in items.iter().enumerate() {
            found.extend(violations(
                &schema["items"],
                item,
                &format!("{at}[{index}]"),
            ));
        }
    }
    if let (Some(fields), Some(properties)) = (value.as_object(), schema["properties"].as_object())
    {
        for name in schema["required"].as_array().into_iter().flatten() {
            if !fields.contains_key(name.as_str().unwrap()) {
                found.push(format!("{at}.{name} is missing"));
            }
        }
        for (name, field) in fields {
            match properties.get(name) {
                Some(schema) => found.extend(violations(schema, field, &format!("{at}.{name}"))),
                // Whatever the schema allows, a field that it doesn't tell of was forgotten.
                None => found.push(format!("{at}.{name} is not in the schema")),
            }
        }
    }
    found
}

fn is_of(value: &Value, name: &str) -> bool {
    match name {
        "null" => value.is_null(),
        "boolean" => value.is_boolean(),
        "integer" => value.is_i64() || value.is_u64(),
        "number" => value.is_number(),
        "string" => value.is_string(),
        "array" => value.is_array(),
        "object" => value.is_object(),
        other => panic!("the document has a type {other}"),
    }
}
