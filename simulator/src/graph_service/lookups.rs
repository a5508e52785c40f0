//! The directory: `GET /users` and `GET /users/{id}`.

use serde_json::{Map, Value, json};

use super::GraphService;
use super::address::{encoded, is_guid, value};
use super::answers::{Refusal, of_json};
use super::exchange::ServiceAnswer;
use super::filter::{self, Filter};
use super::people::Tenant;
use super::settings::ServiceUser;
use super::tokens::Who;

/// Properties that can be selected.
const PROPERTIES: [&str; 6] = ["id", "userPrincipalName", "mail", "proxyAddresses", "imAddresses", "displayName"];
/// Those that come when nothing is selected.
const USUAL: [&str; 4] = ["id", "userPrincipalName", "mail", "displayName"];
/// `$top` at most.
const MOST_ON_A_PAGE: usize = 999;

fn property(user: &ServiceUser, name: &str) -> Value {
    match name {
        "id" => json!(user.id),
        "userPrincipalName" => json!(user.upn),
        "mail" => json!(user.mail),
        "proxyAddresses" => json!(user.proxy_addresses),
        "imAddresses" => json!(user.im_addresses),
        _ => json!(user.upn.split('@').next()),
    }
}

fn selected(query: &[(String, String)]) -> Result<Vec<&'static str>, Refusal> {
    let Some(select) = value(query, "$select") else { return Ok(USUAL.to_vec()) };
    let known = |name: &str| {
        let found = PROPERTIES.into_iter().find(|property| *property == name.trim());
        found.ok_or_else(|| {
            Refusal::bad(format!("Could not find a property named '{name}' on type 'microsoft.graph.user'."))
        })
    };
    select.split(',').map(known).collect()
}

fn shown(user: &ServiceUser, properties: &[&'static str]) -> Map<String, Value> {
    properties.iter().map(|name| ((*name).to_owned(), property(user, name))).collect()
}

/// The users that a filter finds, by number.
fn found(tenant: &Tenant, filter: Option<&Filter>) -> Vec<usize> {
    let who = |fits: &dyn Fn(&ServiceUser) -> bool| {
        let all = tenant.users.iter().enumerate();
        all.filter(|(_, person)| !person.removed && fits(&person.user)).map(|(number, _)| number).collect()
    };
    match filter {
        None => who(&|_| true),
        Some(Filter::Upns(upns)) => {
            let mut users: Vec<usize> = upns.iter().filter_map(|upn| tenant.by_upn(upn)).collect();
            users.sort_unstable();
            users.dedup();
            users
        }
        Some(Filter::ImAddress(address)) => {
            who(&|user| user.im_addresses.iter().any(|known| known.eq_ignore_ascii_case(address)))
        }
        // These keep their case.
        Some(Filter::ProxyAddress(address)) => who(&|user| user.proxy_addresses.contains(address)),
        Some(Filter::Mail(mail)) => {
            who(&|user| user.mail.as_ref().is_some_and(|known| known.eq_ignore_ascii_case(mail)))
        }
    }
}

impl GraphService {
    /// `GET /users/{id | userPrincipalName}`
    pub(super) fn user(&self, who: Who, name: &str, query: &[(String, String)]) -> Result<ServiceAnswer, Refusal> {
        only(query, &["$select"])?;
        let properties = selected(query)?;
        let tenant = self.tenants.get(who.tenant).ok_or_else(|| Refusal::usual(500))?;
        let user = if is_guid(name) { tenant.by_id(name) } else { tenant.by_upn(name) };
        let person = user.and_then(|user| tenant.users.get(user)).ok_or_else(|| {
            let message = format!(
                "Resource '{name}' does not exist or one of its queried reference-property objects are not present."
            );
            Refusal::new(404, "Request_ResourceNotFound", message)
        })?;
        let mut body = shown(&person.user, &properties);
        let context = "https://graph.microsoft.com/v1.0/$metadata#users/$entity";
        body.insert("@odata.context".to_owned(), context.into());
        Ok(of_json(200, &Value::Object(body)))
    }

    /// `GET /users`
    pub(super) fn users(&self, who: Who, query: &[(String, String)]) -> Result<ServiceAnswer, Refusal> {
        only(query, &["$select", "$filter", "$top", "$skiptoken"])?;
        let properties = selected(query)?;
        let unsupported = |why: String| Refusal::new(400, "Request_UnsupportedQuery", why);
        let filter = value(query, "$filter").map(filter::read).transpose().map_err(unsupported)?;
        let number = |name: &str, otherwise: usize| match value(query, name).map(str::parse::<usize>) {
            None => Ok(otherwise),
            Some(Ok(number)) => Ok(number),
            Some(Err(_)) => Err(Refusal::bad(format!("Invalid value for {name}."))),
        };
        let (top, skip) = (number("$top", self.page_size)?, number("$skiptoken", 0)?);
        if !(1..=MOST_ON_A_PAGE).contains(&top) {
            return Err(Refusal::bad(format!(
                "Invalid page size specified: '{top}'. Must be between 1 and 999 inclusive."
            )));
        }
        let page = top.min(self.page_size);
        let tenant = self.tenants.get(who.tenant).ok_or_else(|| Refusal::usual(500))?;
        let all = found(tenant, filter.as_ref());
        let rest = all.get(skip..).unwrap_or_default();
        let users = rest.iter().take(page).filter_map(|user| tenant.users.get(*user));
        let value: Vec<Value> = users.map(|person| Value::Object(shown(&person.user, &properties))).collect();
        let context = "https://graph.microsoft.com/v1.0/$metadata#users";
        let mut body = json!({ "@odata.context": context, "value": value });
        if rest.len() > page {
            let mut link = format!("{}/v1.0/users?", self.settings.origin);
            for (name, value) in query.iter().filter(|(name, _)| name != "$skiptoken") {
                link.push_str(&format!("{name}={}&", encoded(value)));
            }
            link.push_str(&format!("$skiptoken={}", skip + page));
            body["@odata.nextLink"] = link.into();
        }
        Ok(of_json(200, &body))
    }
}

/// Refuses options that are not known.
pub(super) fn only(query: &[(String, String)], known: &[&str]) -> Result<(), Refusal> {
    match query.iter().find(|(name, _)| !known.contains(&name.as_str())) {
        Some((name, _)) => Err(Refusal::bad(format!("The query option '{name}' is not supported."))),
        None => Ok(()),
    }
}
