//! The wire between the frontend and the server.
