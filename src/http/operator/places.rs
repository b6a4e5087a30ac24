//! The table of the operators' API: every path, what each method does there, and how that is described.

use actix_web::http::Method;
use actix_web::{HttpRequest, HttpResponse, Resource, Route, web};

use super::{Asked, Gateway, agent, answer, call, calls, clients, hang_up, reader, why};
use crate::http::openapi::agents::{GET_AGENT, GET_AGENT_SCHEMA, PUT_AGENT};
use crate::http::openapi::calls::{EXPLAIN_CALL, GET_CALL, HANG_UP, LIST_CALLS};
use crate::http::openapi::clients::{ADD_CLIENT, CHANGE_CLIENT, DISABLE_CLIENT, GET_CLIENT, LIST_CLIENTS};
use crate::http::openapi::{DOCUMENT, Operation, document};
use crate::http::wrong_method;

/// A path.
pub(in crate::http) struct Place {
    path: &'static str,
    doors: &'static [Door],
}

/// A method at a path.
struct Door {
    method: Method,
    to: fn(Route) -> Route,
    operation: &'static Operation,
}

/// All that operators are served.
pub(in crate::http) static PLACES: &[Place] = &[
    Place {
        path: "/api/v1/calls",
        doors: &[Door { method: Method::GET, to: |route| route.to(calls), operation: &LIST_CALLS }],
    },
    Place {
        path: "/api/v1/calls/{sid}",
        doors: &[Door { method: Method::GET, to: |route| route.to(call), operation: &GET_CALL }],
    },
    Place {
        path: "/api/v1/calls/{sid}/why",
        doors: &[Door { method: Method::GET, to: |route| route.to(why), operation: &EXPLAIN_CALL }],
    },
    Place {
        path: "/api/v1/calls/{sid}/hangup",
        doors: &[Door { method: Method::POST, to: |route| route.to(hang_up), operation: &HANG_UP }],
    },
    Place {
        path: "/api/v1/clients",
        doors: &[
            Door { method: Method::GET, to: |route| route.to(clients::list), operation: &LIST_CLIENTS },
            Door { method: Method::POST, to: |route| route.to(clients::add), operation: &ADD_CLIENT },
        ],
    },
    Place {
        path: "/api/v1/clients/{client}",
        doors: &[
            Door { method: Method::GET, to: |route| route.to(clients::show), operation: &GET_CLIENT },
            Door { method: Method::PATCH, to: |route| route.to(clients::change), operation: &CHANGE_CLIENT },
        ],
    },
    Place {
        path: "/api/v1/clients/{client}/disable",
        doors: &[Door { method: Method::POST, to: |route| route.to(clients::disable), operation: &DISABLE_CLIENT }],
    },
    Place {
        path: "/api/v1/clients/{client}/agent",
        doors: &[
            Door { method: Method::GET, to: |route| route.to(agent::show), operation: &GET_AGENT },
            Door { method: Method::PUT, to: |route| route.to(agent::put), operation: &PUT_AGENT },
        ],
    },
    Place {
        path: "/api/v1/schemas/agent.json",
        doors: &[Door { method: Method::GET, to: |route| route.to(agent::schema), operation: &GET_AGENT_SCHEMA }],
    },
    Place {
        path: "/api/v1/openapi.json",
        doors: &[Door { method: Method::GET, to: |route| route.to(openapi), operation: &DOCUMENT }],
    },
];

impl Place {
    /// Serves it; another method is told which there are.
    pub(in crate::http) fn resource(&self) -> Resource {
        let allowed = self.doors.iter().map(|door| door.method.as_str()).collect::<Vec<_>>().join(", ");
        let others = web::to(move || wrong_method(allowed.clone()));
        let resource = web::resource(self.path).default_service(others);
        let serve = |resource: Resource, door: &Door| resource.route((door.to)(web::method(door.method.clone())));
        self.doors.iter().fold(resource, serve)
    }
}

/// The OpenAPI document of all that is served.
pub(in crate::http) fn api_document() -> serde_json::Value {
    let doors = PLACES.iter().flat_map(|place| place.doors.iter().map(|door| (place.path, door)));
    document(doors.map(|(path, door)| (path, &door.method, door.operation)))
}

/// `GET /api/v1/openapi.json`.
async fn openapi(gateway: web::Data<Gateway>, request: HttpRequest) -> HttpResponse {
    answer(async {
        reader(&gateway, &request).await?;
        Asked::of(&request, &[])?;
        Ok(api_document())
    })
    .await
}
