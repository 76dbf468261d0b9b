//! End-to-end tests of P1 run pinning.
