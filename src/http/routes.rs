//! The routes: what is served on which listener.

use std::borrow::Cow;

use actix_web::{HttpRequest, HttpResponse, web};

use super::error::Refused;
use super::{Gateway, media, operator, probe, webhook};

/// Who a listener is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Plane {
    /// The carrier, and whoever finds the way here.
    Public,
    /// Operators: `ADMIN_HOST`, `ADMIN_PORT`.
    Operators,
}

/// Every route, and JSON for whatever is none.
pub fn routes(config: &mut web::ServiceConfig) {
    hooks(config);
    config
        .configure(probes)
        .service(page("/metrics").route(web::get().to(probe::metrics)).route(web::head().to(probe::metrics)))
        .configure(operators)
        .default_service(web::to(|| async { Refused::NoRoute.answer() }));
}

/// The routes of one listener: with one for operators, nothing of theirs is on the other.
pub fn routes_of(plane: Plane, gateway: &Gateway, config: &mut web::ServiceConfig) {
    match plane {
        Plane::Public if !gateway.rules.operators_apart => return routes(config),
        Plane::Public => hooks(config),
        Plane::Operators => {
            let open = || page("/metrics").route(web::get().to(probe::open_metrics));
            config.service(open().route(web::head().to(probe::open_metrics))).configure(operators);
        }
    }
    config.configure(probes).default_service(web::to(|| async { Refused::NoRoute.answer() }));
}

fn hooks(config: &mut web::ServiceConfig) {
    for hook in webhook::Hook::ALL {
        let handle = move |gateway: web::Data<Gateway>, request: HttpRequest, body: web::Payload| async move {
            webhook::handle(hook, &gateway, &request, body).await
        };
        // Whatever the method: what is refused is audited too.
        config.service(web::resource(hook.path()).route(web::to(handle)));
    }
    config
        .service(get("/exotel/media/{token}").route(web::get().to(media::by_token)))
        .service(get("/exotel/media").route(web::get().to(media::by_account)));
}

fn probes(config: &mut web::ServiceConfig) {
    config
        .service(page("/healthz").route(web::get().to(probe::alive)).route(web::head().to(probe::alive)))
        .service(page("/readyz").route(web::get().to(probe::ready)).route(web::head().to(probe::ready)));
}

fn operators(config: &mut web::ServiceConfig) {
    for place in operator::PLACES {
        config.service(place.resource());
    }
}

fn get(path: &str) -> actix_web::Resource {
    web::resource(path).default_service(web::to(|| wrong_method("GET")))
}

fn page(path: &str) -> actix_web::Resource {
    web::resource(path).default_service(web::to(|| wrong_method("GET, HEAD")))
}

pub(super) async fn wrong_method(allowed: impl Into<Cow<'static, str>>) -> HttpResponse {
    Refused::Method(allowed.into()).answer()
}
