//! How the stack is deployed: beside what was there, once for each environment, with each parameter, and what somebody changes of
//! it afterwards. Each test deploys a platform of its own.

mod adopt;
mod drift;
mod environments;
mod notifications;
mod settings;
