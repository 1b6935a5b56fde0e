use std::{
    convert::Infallible,
    net::{IpAddr, Ipv4Addr, SocketAddr},
};

use axum::{
    extract::{ConnectInfo, FromRequestParts},
    http::{HeaderMap, request::Parts},
};

use crate::app::AppState;

/// Where a request comes from.
pub(crate) struct ClientAddress(pub(crate) IpAddr);

impl FromRequestParts<AppState> for ClientAddress {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, app: &AppState) -> Result<Self, Infallible> {
        let forwarded = app
            .trust_forwarded_for
            .then(|| forwarded_for(&parts.headers));
        let address = forwarded.flatten().unwrap_or_else(|| peer(parts));
        Ok(Self(address))
    }
}

fn peer(parts: &Parts) -> IpAddr {
    parts
        .extensions
        .get::<ConnectInfo<SocketAddr>>()
        // A router that is served without a socket has one client, itself.
        .map_or(Ipv4Addr::LOCALHOST.into(), |peer| peer.0.ip())
}

/// The last entry is the one our own proxy wrote; those before it came with the request,
/// and may be made up.
fn forwarded_for(headers: &HeaderMap) -> Option<IpAddr> {
    headers
        .get_all("x-forwarded-for")
        .iter()
        .next_back()?
        .to_str()
        .ok()?
        .rsplit(',')
        .next()?
        .trim()
        .parse()
        .ok()
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    #[test]
    fn only_the_entry_of_the_nearest_proxy_counts() {
        let mut headers = HeaderMap::new();
        assert_eq!(forwarded_for(&headers), None);
        for value in ["203.0.113.9", "198.51.100.1, 192.0.2.7"] {
            headers.append("x-forwarded-for", HeaderValue::from_static(value));
        }
        assert_eq!(forwarded_for(&headers), Some([192, 0, 2, 7].into()));
        headers.insert("x-forwarded-for", HeaderValue::from_static("unknown"));
        assert_eq!(forwarded_for(&headers), None);
    }
}
