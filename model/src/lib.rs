//! Predilect model.
