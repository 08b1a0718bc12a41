//! Calls against a small server of our own that says what an API server would.

#![expect(clippy::unwrap_used, reason = "a test may fail anywhere")]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::{Duration, Instant};

use kube::{Client, Config, Error, Node, Pod};
use model::{Fault, Kind};
use serde_json::{Value, json};

fn soon() -> Instant {
    Instant::now() + Duration::from_secs(5)
}

/// What was asked: method and path, and the body.
type Asked = Receiver<(String, Value)>;

/// A client of a server that gives these answers: status, headers, body.
fn server(answers: Vec<(u16, &'static str, Value)>) -> (Client, Asked) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let (say, asked) = channel();
    thread::spawn(move || {
        for (status, headers, body) in answers {
            let (mut connection, _) = listener.accept().unwrap();
            let _ = say.send(request(&connection));
            let body = body.to_string();
            let length = body.len();
            write!(
                connection,
                "HTTP/1.1 {status} X\r\n{headers}Connection: close\r\nContent-Length: {length}\r\n\r\n{body}"
            )
            .unwrap();
        }
    });
    let text = format!(
        "current-context: c\ncontexts: [{{name: c, context: {{cluster: c}}}}]\nclusters: [{{name: c, cluster: {{server: '{url}'}}}}]\n"
    );
    (Client::new(&Config::parse(&text, Path::new("")).unwrap()).unwrap(), asked)
}

fn request(connection: &TcpStream) -> (String, Value) {
    let mut reader = BufReader::new(connection);
    let mut first = String::new();
    reader.read_line(&mut first).unwrap();
    let mut length = 0;
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).unwrap();
        if line.trim().is_empty() {
            break;
        }
        if let Some(value) = line.to_lowercase().strip_prefix("content-length:") {
            length = value.trim().parse().unwrap();
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).unwrap();
    let words: Vec<_> = first.split(' ').take(2).collect();
    (words.join(" "), serde_json::from_slice(&body).unwrap_or_default())
}

fn status(reason: &str, message: &str) -> Value {
    json!({"kind": "Status", "reason": reason, "message": message})
}

fn pod() -> Pod {
    serde_json::from_value(json!({"metadata": {"name": "p", "namespace": "n", "uid": "17"}})).unwrap()
}

#[test]
fn a_list_is_read_page_by_page() {
    let node = |name: &str| json!({"metadata": {"name": name}});
    let (client, asked) = server(vec![
        (200, "", json!({"metadata": {"continue": "a/b="}, "items": [node("a"), node("b")]})),
        (200, "", json!({"metadata": {"continue": ""}, "items": [node("c")]})),
    ]);
    let nodes: Vec<Node> = client.list("/api/v1/nodes", "labelSelector=x", soon()).unwrap();
    assert_eq!(nodes.iter().map(|node| node.metadata.name.as_str()).collect::<Vec<_>>(), ["a", "b", "c"]);
    assert_eq!(asked.recv().unwrap().0, "GET /api/v1/nodes?limit=500&labelSelector=x");
    assert_eq!(asked.recv().unwrap().0, "GET /api/v1/nodes?limit=500&labelSelector=x&continue=a%2Fb%3D");
}

#[test]
fn a_server_with_too_much_to_do_is_asked_again_when_it_says_so() {
    let busy = || (429, "Retry-After: 1\r\n", status("TooManyRequests", "too many requests"));
    let (client, _) = server(vec![busy(), (200, "", json!({"gitVersion": "v1.36.3"}))]);
    let start = Instant::now();
    assert_eq!(client.version(soon()).unwrap().git_version, "v1.36.3");
    assert!(start.elapsed() >= Duration::from_secs(1));
    // Whoever has no time to wait is told at once.
    let (client, _) = server(vec![busy()]);
    let error = client.version(Instant::now() + Duration::from_millis(500)).unwrap_err();
    assert_eq!((error.word(), error.kind()), ("throttled", Kind::Unavailable));
}

#[test]
fn a_budget_in_the_way_is_told_at_once_and_not_asked_again() {
    let mut body =
        status("TooManyRequests", "Cannot evict pod as it would violate the pod's disruption budget.");
    body["details"] = json!({"retryAfterSeconds": 10, "causes": [{"reason": "DisruptionBudget"}]});
    let (client, asked) = server(vec![(429, "", body)]);
    let error = client.evict(&pod(), Some(5), soon()).unwrap_err();
    assert_eq!((error.word(), error.kind()), ("budget", Kind::Unavailable));
    assert!(
        matches!(error, Error::Refused { retry_after: Some(wait), .. } if wait == Duration::from_secs(10))
    );
    let (line, body) = asked.recv().unwrap();
    assert_eq!(line, "POST /api/v1/namespaces/n/pods/p/eviction");
    assert_eq!(body["deleteOptions"]["preconditions"]["uid"], "17");
    assert_eq!(body["deleteOptions"]["gracePeriodSeconds"], 5);
}

#[test]
fn a_no_has_a_word_and_the_servers_own_words() {
    for (code, word, kind) in [
        (401, "unauthorized", Kind::Invalid),
        (403, "forbidden", Kind::Invalid),
        (404, "not-found", Kind::Invalid),
        (409, "conflict", Kind::Unavailable),
        (410, "status", Kind::Unavailable),
        (422, "status", Kind::Invalid),
        (500, "server-error", Kind::Unavailable),
        (503, "server-error", Kind::Unavailable),
    ] {
        let (client, _) = server(vec![(code, "", status("Reason", "because\nof this"))]);
        let error = client.get::<Node>("/api/v1/nodes/w1", soon()).unwrap_err();
        assert_eq!((error.word(), error.kind()), (word, kind), "{code}");
        assert_eq!(error.to_string(), format!("answered {code}: because of this"));
    }
}

#[test]
fn an_answer_that_is_no_object_makes_no_sense() {
    let (client, _) = server(vec![(200, "", json!("text"))]);
    let error = client.get::<Node>("/x", soon()).unwrap_err();
    assert_eq!((error.word(), error.kind()), ("garbled", Kind::Invalid));
}

#[test]
fn an_unready_server_is_an_answer() {
    let (client, asked) = server(vec![(500, "Date: Sun, 06 Nov 1994 08:49:37 GMT\r\n", json!("x"))]);
    let health = client.health("/readyz", soon()).unwrap();
    assert!(!health.ok && health.status == 500);
    assert_eq!(asked.recv().unwrap().0, "GET /readyz?verbose");
}

#[test]
fn a_change_is_a_merge_patch_and_a_deletion_names_the_uid() {
    let (client, asked) = server(vec![
        (200, "", json!({"metadata": {"name": "w1"}})),
        (200, "", json!({"kind": "Status", "status": "Success"})),
    ]);
    let node: Node =
        client.patch(&Node::path("w1"), &json!({"spec": {"unschedulable": true}}), soon()).unwrap();
    assert_eq!(node.metadata.name, "w1");
    client.delete(&Node::path("w1"), "17", None, soon()).unwrap();
    assert_eq!(asked.recv().unwrap().0, "PATCH /api/v1/nodes/w1");
    assert_eq!(asked.recv().unwrap().1["preconditions"]["uid"], "17");
}
