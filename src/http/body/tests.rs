use actix_web::http::header::HeaderValue;
use proptest::prelude::*;

use super::*;

fn headers(content_type: &str) -> HeaderMap {
    let mut headers = HeaderMap::new();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_str(content_type).unwrap());
    headers
}

fn read_as(content_type: &str, body: &str) -> Vec<(String, String)> {
    let fields = fields(&headers(content_type), body.as_bytes()).unwrap();
    fields.iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
}

fn owned(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

#[test]
fn the_three_kinds_of_body_say_the_same() {
    let expected = owned(&[("CallSid", "abc"), ("From", "+91 98")]);
    assert_eq!(read_as("application/json; charset=utf-8", r#"{"CallSid":"abc","From":"+91 98"}"#), expected);
    assert_eq!(read_as("application/x-www-form-urlencoded", "CallSid=abc&From=%2B91+98"), expected);
    let multipart = "--X\r\nContent-Disposition: form-data; name=\"CallSid\"\r\n\r\nabc\r\n\
                     --X\r\ncontent-type: text/plain\r\ncontent-disposition: form-data; filename=\"a;b\"; name=From\r\n\r\n+91 98\r\n--X--\r\n";
    assert_eq!(read_as("multipart/form-data; boundary=X", multipart), expected);
    assert_eq!(read_as("Multipart/Form-Data; charset=utf-8; boundary=\"X\"", multipart), expected);
}

#[test]
fn the_mark_of_utf_8_before_a_body_is_no_part_of_it() {
    let expected = owned(&[("CallSid", "abc")]);
    assert_eq!(read_as("application/json", "\u{feff}{\"CallSid\":\"abc\"}"), expected);
    assert_eq!(read_as("application/json", "\u{feff}\r\n {\"CallSid\":\"abc\"}"), expected);
    assert_eq!(read_as("application/x-www-form-urlencoded", "\u{feff}CallSid=abc"), expected);
    let multipart = "\u{feff}--X\r\nContent-Disposition: form-data; name=CallSid\r\n\r\nabc\r\n--X--";
    assert_eq!(read_as("multipart/form-data; boundary=X", multipart), expected);
    assert_eq!(read_as("application/json", "\u{feff}"), owned(&[]));
    // Within a value it is text like any other.
    assert_eq!(read_as("application/json", "{\"a\":\"\u{feff}b\"}"), owned(&[("a", "\u{feff}b")]));
}

#[test]
fn multipart_values_keep_their_lines_and_dashes() {
    let body = "preamble\r\n--X\r\nContent-Disposition: form-data; name=\"a\\\"b\"\r\n\r\n1\r\n--Y\r\n\r\n--\r\n--X--";
    assert_eq!(read_as("multipart/form-data; boundary=X", body), owned(&[("a\"b", "1\r\n--Y\r\n\r\n--")]));
    assert_eq!(read_as("multipart/form-data; boundary=X", "--X--"), owned(&[]));
    let padded = "--X \t \r\nContent-Disposition: form-data; name=a\r\n\r\n1\r\n--X-- \r\n";
    assert_eq!(read_as("multipart/form-data; boundary=X", padded), owned(&[("a", "1")]));
}

#[test]
fn a_body_that_is_not_what_it_says_is_refused() {
    let code = |content_type: &str, body: &str| fields(&headers(content_type), body.as_bytes()).unwrap_err().code();
    for body in ["{", "[]", "1", "\"a\"", &"[".repeat(10_000)] {
        assert_eq!(code("application/json", body), "malformed_body");
    }
    for body in
        ["x", "--X", "--X\r\n", "--X\r\n\r\n\r\n--X--", "--X\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\n1"]
    {
        assert_eq!(code("multipart/form-data; boundary=X", body), "malformed_body", "{body}");
    }
    assert_eq!(code("multipart/form-data", "--X--"), "malformed_body");
    for content_type in ["text/plain", "", "application/xml", "application/jsonp"] {
        assert_eq!(code(content_type, "x"), "unsupported_media_type");
    }
}

#[test]
fn a_compressed_body_is_not_guessed_at() {
    let mut headers = headers("application/json");
    headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static("gzip"));
    assert_eq!(fields(&headers, b"{}").unwrap_err().code(), "unsupported_media_type");
    assert_eq!(fields(&headers, b"").unwrap(), Fields::default());
}

proptest! {
    #[test]
    fn no_body_makes_the_readers_panic(content_type in "multipart/form-data; ?boundary=\"?[X\";\\\\]{0,4}", body in "(--X|\r\n|name=|[\"a:;=-]|Content-Disposition:){0,40}") {
        let _ = fields(&headers(&content_type), body.as_bytes());
        let _ = fields(&headers("application/json"), body.as_bytes());
    }

    #[test]
    fn multipart_reads_what_was_written(fields in prop::collection::vec(("[A-Za-z\\[\\]0-9]{1,12}", "[^X\\x00]{0,40}"), 0..8)) {
        let mut body = String::new();
        for (name, value) in &fields {
            body += &format!("--X\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n");
        }
        body += "--X--\r\n";
        prop_assert_eq!(read_as("multipart/form-data; boundary=X", &body), fields);
    }
}
