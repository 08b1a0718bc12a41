//! What the safe wrapper of librdkafka lacks: headers whose names are no UTF-8,
//! the topic of a partition's end, messages sent without a copy of the topic's
//! name each, and changing some of a topic's settings and not the others.

#![expect(unsafe_code, reason = "librdkafka is C")]

use std::collections::BTreeMap;
use std::ffi::{CStr, CString, c_char, c_void};
use std::marker::PhantomData;
use std::ptr::{self, NonNull};
use std::time::Duration;

use rdkafka::bindings as c;
use rdkafka::client::NativeClient;

use crate::{Error, Place, Result};

type Code = c::rd_kafka_resp_err_t;
const FINE: Code = Code::RD_KAFKA_RESP_ERR_NO_ERROR;

/// The headers of a message, in their order.
#[derive(Clone, Debug)]
pub struct Headers<'a> {
    list: *const c::rd_kafka_headers_t,
    next: usize,
    of: PhantomData<&'a ()>,
}

impl<'a> Iterator for Headers<'a> {
    /// The name, which ends at a zero byte, and the value; Kafka knows headers without one.
    type Item = (&'a [u8], Option<&'a [u8]>);

    fn next(&mut self) -> Option<Self::Item> {
        if self.list.is_null() {
            return None;
        }
        let (mut name, mut value, mut size) = (ptr::null(), ptr::null(), 0);
        // SAFETY: the headers live as long as 'a; past the last one librdkafka answers with an error.
        unsafe {
            let status = c::rd_kafka_header_get_all(
                self.list,
                self.next,
                &raw mut name,
                &raw mut value,
                &raw mut size,
            );
            if status != FINE {
                return None;
            }
            self.next += 1;
            let value = (!value.is_null()).then(|| std::slice::from_raw_parts(value.cast::<u8>(), size));
            Some((CStr::from_ptr(name).to_bytes(), value))
        }
    }
}

/// A message, as long as the consumer lives.
#[derive(Debug)]
pub struct Message<'a> {
    raw: NonNull<c::rd_kafka_message_t>,
    /// What the message lies in.
    _event: Event,
    consumer: PhantomData<&'a ()>,
}

impl Message<'_> {
    fn raw(&self) -> &c::rd_kafka_message_t {
        // SAFETY: it lies in the event, which lives as long as we do.
        unsafe { self.raw.as_ref() }
    }

    /// Its topic.
    pub fn topic(&self) -> &str {
        // SAFETY: the topic lives as long as the message; its name is ASCII.
        unsafe { CStr::from_ptr(c::rd_kafka_topic_name(self.raw().rkt)) }.to_str().unwrap_or_default()
    }

    /// Its partition.
    pub fn partition(&self) -> i32 {
        self.raw().partition
    }

    /// Its offset.
    pub fn offset(&self) -> i64 {
        self.raw().offset
    }

    /// Its key, if it has one.
    pub fn key(&self) -> Option<&[u8]> {
        // SAFETY: pointer and length are the message's.
        unsafe { slice(self.raw().key, self.raw().key_len) }
    }

    /// Its value; `None` deletes the key.
    pub fn value(&self) -> Option<&[u8]> {
        // SAFETY: pointer and length are the message's.
        unsafe { slice(self.raw().payload, self.raw().len) }
    }

    /// Its time, milliseconds since 1970, if it has one.
    pub fn time_ms(&self) -> Option<i64> {
        // SAFETY: the message lives; librdkafka takes null for the kind of time.
        let time = unsafe { c::rd_kafka_message_timestamp(self.raw.as_ptr(), ptr::null_mut()) };
        Some(time).filter(|time| *time >= 0)
    }

    /// Its headers, in their order; a name may stand several times.
    pub fn headers(&self) -> Headers<'_> {
        let mut headers = ptr::null_mut();
        // SAFETY: the headers are the message's own.
        let status = unsafe { c::rd_kafka_message_headers(self.raw.as_ptr(), &raw mut headers) };
        Headers { list: if status == FINE { headers } else { ptr::null_mut() }, next: 0, of: PhantomData }
    }
}

/// # Safety
/// `bytes` is null, or `length` bytes lie there as long as 'a.
unsafe fn slice<'a>(bytes: *const c_void, length: usize) -> Option<&'a [u8]> {
    // SAFETY: passed on.
    (!bytes.is_null()).then(|| unsafe { std::slice::from_raw_parts(bytes.cast(), length) })
}

/// Where a client's events come from.
pub(crate) struct Queue(Owned<c::rd_kafka_queue_t>);

// SAFETY: librdkafka's queues are made for several threads.
unsafe impl Send for Queue {}

/// Something a client has to tell.
pub(crate) enum Told<'a> {
    Message(Message<'a>),
    End(Place, i64),
    Assign(Vec<Place>),
    Revoke(Vec<Place>),
    /// What became of messages: the place and the offset, or why not.
    Delivered(Delivery),
    Error(Code, String),
    Log(String, String),
    Other,
}

impl Queue {
    /// Of a consumer.
    pub(crate) fn consumer(client: &NativeClient) -> Option<Self> {
        // SAFETY: the client lives; its queue is counted.
        Owned::new(unsafe { c::rd_kafka_queue_get_consumer(client.ptr()) }, c::rd_kafka_queue_destroy)
            .map(Self)
    }

    /// Of a producer.
    pub(crate) fn main(client: &NativeClient) -> Option<Self> {
        // SAFETY: as above.
        Owned::new(unsafe { c::rd_kafka_queue_get_main(client.ptr()) }, c::rd_kafka_queue_destroy).map(Self)
    }

    /// The next thing that is told, if one is in time.
    pub(crate) fn poll(&self, timeout: Duration) -> Option<Told<'_>> {
        let timeout_ms = i32::try_from(timeout.as_millis()).unwrap_or(i32::MAX);
        // SAFETY: the event is ours, and freed after its last use; what is read
        // from it fits its kind.
        unsafe {
            let event = c::rd_kafka_queue_poll(self.0.ptr(), timeout_ms);
            let event = Event(Owned::new(event, c::rd_kafka_event_destroy)?);
            let ptr = event.0.ptr();
            Some(match c::rd_kafka_event_type(ptr) {
                c::RD_KAFKA_EVENT_FETCH => {
                    match NonNull::new(c::rd_kafka_event_message_next(ptr).cast_mut()) {
                        Some(message) if message.as_ref().err == FINE => {
                            Told::Message(Message { raw: message, _event: event, consumer: PhantomData })
                        }
                        Some(message) => {
                            let code = message.as_ref().err;
                            Told::Error(code, said(c::rd_kafka_message_errstr(message.as_ptr())))
                        }
                        None => Told::Other,
                    }
                }
                c::RD_KAFKA_EVENT_ERROR => {
                    let code = c::rd_kafka_event_error(ptr);
                    let place = c::rd_kafka_event_topic_partition(ptr);
                    let place = Owned::new(place, c::rd_kafka_topic_partition_destroy);
                    match place {
                        Some(place) if code == Code::RD_KAFKA_RESP_ERR__PARTITION_EOF => {
                            Told::End(read(place.thing.as_ref()), place.thing.as_ref().offset)
                        }
                        _ => Told::Error(code, said(c::rd_kafka_event_error_string(ptr))),
                    }
                }
                c::RD_KAFKA_EVENT_REBALANCE => {
                    let list = c::rd_kafka_event_topic_partition_list(ptr);
                    let places = places(list);
                    if c::rd_kafka_event_error(ptr) == Code::RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS {
                        Told::Assign(places)
                    } else {
                        Told::Revoke(places)
                    }
                }
                c::RD_KAFKA_EVENT_DR => Told::Delivered(Delivery(event)),
                c::RD_KAFKA_EVENT_LOG => {
                    let (mut facility, mut text, mut level) = (ptr::null(), ptr::null(), 0);
                    c::rd_kafka_event_log(ptr, &raw mut facility, &raw mut text, &raw mut level);
                    Told::Log(said(facility), said(text))
                }
                _ => Told::Other,
            })
        }
    }
}

/// An event, whose end frees what lies in it.
#[derive(Debug)]
pub(crate) struct Event(Owned<c::rd_kafka_event_t>);

/// What became of some messages.
pub(crate) struct Delivery(Event);

impl Delivery {
    /// Each one's topic, partition and offset, or why it was not taken.
    pub(crate) fn each(&self, mut see: impl FnMut(&str, i32, std::result::Result<i64, Code>)) {
        let (mut last, mut topic) = (ptr::null_mut(), "");
        loop {
            // SAFETY: the messages lie in the event, and so do their topics.
            unsafe {
                let Some(message) = c::rd_kafka_event_message_next(self.0.0.ptr()).as_ref() else { return };
                if message.rkt != last {
                    last = message.rkt;
                    topic = CStr::from_ptr(c::rd_kafka_topic_name(last)).to_str().unwrap_or_default();
                }
                let result = if message.err == FINE { Ok(message.offset) } else { Err(message.err) };
                see(topic, message.partition, result);
            }
        }
    }
}

/// # Safety
/// `list` is null, or a list of librdkafka's.
unsafe fn places(list: *const c::rd_kafka_topic_partition_list_t) -> Vec<Place> {
    // SAFETY: the list says how many lie in it.
    unsafe {
        let Some(list) = list.as_ref() else { return Vec::new() };
        let count = usize::try_from(list.cnt).unwrap_or_default();
        if count == 0 {
            Vec::new()
        } else {
            std::slice::from_raw_parts(list.elems, count).iter().map(|place| read(place)).collect()
        }
    }
}

/// # Safety
/// `place` is one of librdkafka's.
unsafe fn read(place: &c::rd_kafka_topic_partition_t) -> Place {
    // SAFETY: its name is a C string.
    Place { topic: unsafe { said(place.topic) }, partition: place.partition }
}

/// A topic that is written to.
pub(crate) struct Target(Owned<c::rd_kafka_topic_t>);

// SAFETY: librdkafka's topics are made for several threads.
unsafe impl Send for Target {}

impl Target {
    pub(crate) fn new(client: &NativeClient, name: &str) -> Option<Self> {
        let name = CString::new(name).ok()?;
        // SAFETY: the name is copied, and the settings are the client's.
        let topic = unsafe { c::rd_kafka_topic_new(client.ptr(), name.as_ptr(), ptr::null_mut()) };
        Owned::new(topic, c::rd_kafka_topic_destroy).map(Self)
    }

    /// Puts a message into the queue of those to be sent; key and value are copied.
    pub(crate) fn send<'h>(
        &self,
        client: &NativeClient,
        partition: i32,
        key: Option<&[u8]>,
        value: Option<&[u8]>,
        time_ms: i64,
        headers: impl ExactSizeIterator<Item = (&'h [u8], Option<&'h [u8]>)>,
    ) -> std::result::Result<(), Code> {
        let parts = |bytes: Option<&[u8]>| {
            bytes.map_or((ptr::null(), 0), |bytes| (bytes.as_ptr().cast::<c_void>(), bytes.len()))
        };
        let ((key, key_len), (value, value_len)) = (parts(key), parts(value));
        // SAFETY: each value has the type its tag says; what is not copied lives
        // until the call is over, and headers are handed over if it succeeds.
        unsafe {
            let list =
                if headers.len() == 0 { ptr::null_mut() } else { c::rd_kafka_headers_new(headers.len()) };
            for (name, value) in headers {
                let (value, length) = parts(value);
                let length = isize::try_from(length).unwrap_or(isize::MAX);
                c::rd_kafka_header_add(list, name.as_ptr().cast(), name.len().cast_signed(), value, length);
            }
            let status = c::rd_kafka_producev(
                client.ptr(),
                c::rd_kafka_vtype_t::RD_KAFKA_VTYPE_RKT,
                self.0.ptr(),
                c::rd_kafka_vtype_t::RD_KAFKA_VTYPE_PARTITION,
                partition,
                c::rd_kafka_vtype_t::RD_KAFKA_VTYPE_MSGFLAGS,
                c::RD_KAFKA_MSG_F_COPY,
                c::rd_kafka_vtype_t::RD_KAFKA_VTYPE_VALUE,
                value,
                value_len,
                c::rd_kafka_vtype_t::RD_KAFKA_VTYPE_KEY,
                key,
                key_len,
                c::rd_kafka_vtype_t::RD_KAFKA_VTYPE_TIMESTAMP,
                time_ms,
                c::rd_kafka_vtype_t::RD_KAFKA_VTYPE_HEADERS,
                list,
                c::rd_kafka_vtype_t::RD_KAFKA_VTYPE_END,
            );
            if status == FINE {
                return Ok(());
            }
            if !list.is_null() {
                c::rd_kafka_headers_destroy(list);
            }
            Err(status)
        }
    }
}

/// Asks for what waits to be sent at once; the number of messages under way.
pub(crate) fn hurry(client: &NativeClient) -> usize {
    // SAFETY: the client lives. While somebody waits, if only for a moment, nothing lingers; what was
    // delivered meanwhile is read afterwards.
    unsafe {
        c::rd_kafka_flush(client.ptr(), 1);
        usize::try_from(c::rd_kafka_outq_len(client.ptr())).unwrap_or_default()
    }
}

/// Frees what librdkafka gave us.
#[derive(Debug)]
struct Owned<T> {
    thing: NonNull<T>,
    free: unsafe extern "C" fn(*mut T),
}

impl<T> Owned<T> {
    fn new(thing: *mut T, free: unsafe extern "C" fn(*mut T)) -> Option<Self> {
        NonNull::new(thing).map(|thing| Self { thing, free })
    }

    fn ptr(&self) -> *mut T {
        self.thing.as_ptr()
    }
}

impl<T> Drop for Owned<T> {
    fn drop(&mut self) {
        // SAFETY: made by librdkafka, owned by us alone, freed once.
        unsafe { (self.free)(self.thing.as_ptr()) }
    }
}

/// Sets or (`None`) gives back settings of a topic.
pub(crate) fn alter_topic(
    client: &NativeClient,
    name: &str,
    changes: &BTreeMap<String, Option<String>>,
    timeout: Duration,
) -> Result<()> {
    let text =
        |text: &str| CString::new(text).map_err(|_| Error::Invalid("a zero byte in a setting".to_owned()));
    let failed = || Error::Other("librdkafka has no memory".to_owned());
    let timeout_ms = i32::try_from(timeout.as_millis()).unwrap_or(i32::MAX);
    // SAFETY: every pointer comes from librdkafka in this function and is freed
    // after its last use; strings are copied by the calls that take them.
    unsafe {
        let topic = c::rd_kafka_ConfigResource_new(
            c::rd_kafka_ResourceType_t::RD_KAFKA_RESOURCE_TOPIC,
            text(name)?.as_ptr(),
        );
        let topic = Owned::new(topic, c::rd_kafka_ConfigResource_destroy).ok_or_else(failed)?;
        for (setting, value) in changes {
            let (setting_c, value_c) = (text(setting)?, value.as_deref().map(text).transpose()?);
            let operation = match value {
                Some(_) => c::rd_kafka_AlterConfigOpType_t::RD_KAFKA_ALTER_CONFIG_OP_TYPE_SET,
                None => c::rd_kafka_AlterConfigOpType_t::RD_KAFKA_ALTER_CONFIG_OP_TYPE_DELETE,
            };
            let value = value_c.as_ref().map_or(ptr::null::<c_char>(), |value| value.as_ptr());
            let error = c::rd_kafka_ConfigResource_add_incremental_config(
                topic.ptr(),
                setting_c.as_ptr(),
                operation,
                value,
            );
            if let Some(error) = Owned::new(error, c::rd_kafka_error_destroy) {
                return Err(Error::Invalid(format!(
                    "{setting}: {}",
                    said(c::rd_kafka_error_string(error.ptr()))
                )));
            }
        }
        let options = c::rd_kafka_AdminOptions_new(
            client.ptr(),
            c::rd_kafka_admin_op_t::RD_KAFKA_ADMIN_OP_INCREMENTALALTERCONFIGS,
        );
        let options = Owned::new(options, c::rd_kafka_AdminOptions_destroy).ok_or_else(failed)?;
        let mut why = [0; 256];
        c::rd_kafka_AdminOptions_set_request_timeout(options.ptr(), timeout_ms, why.as_mut_ptr(), why.len());
        let queue =
            Owned::new(c::rd_kafka_queue_new(client.ptr()), c::rd_kafka_queue_destroy).ok_or_else(failed)?;
        let mut topics = [topic.ptr()];
        c::rd_kafka_IncrementalAlterConfigs(
            client.ptr(),
            topics.as_mut_ptr(),
            topics.len(),
            options.ptr(),
            queue.ptr(),
        );
        let event = c::rd_kafka_queue_poll(queue.ptr(), timeout_ms.saturating_add(1000));
        let event = Owned::new(event, c::rd_kafka_event_destroy).ok_or(Error::Timeout)?;
        let code = c::rd_kafka_event_error(event.ptr());
        if code != FINE {
            return Err(worded(code, c::rd_kafka_event_error_string(event.ptr()), name));
        }
        let result = c::rd_kafka_event_IncrementalAlterConfigs_result(event.ptr());
        let mut count = 0;
        let resources = c::rd_kafka_IncrementalAlterConfigs_result_resources(result, &raw mut count);
        for n in 0..count {
            let resource = *resources.add(n);
            let code = c::rd_kafka_ConfigResource_error(resource);
            if code != FINE {
                return Err(worded(code, c::rd_kafka_ConfigResource_error_string(resource), name));
            }
        }
        Ok(())
    }
}

/// The error of a code, in the broker's words where they say more.
///
/// # Safety
/// `text` is null or a C string.
unsafe fn worded(code: c::rd_kafka_resp_err_t, text: *const c_char, name: &str) -> Error {
    // SAFETY: passed on.
    let text = unsafe { said(text) };
    match Error::of_code(code.into(), name) {
        Error::Invalid(_) if !text.is_empty() => Error::Invalid(text),
        Error::Other(_) if !text.is_empty() => Error::Other(text),
        error => error,
    }
}

/// # Safety
/// `text` is null or a C string.
unsafe fn said(text: *const c_char) -> String {
    if text.is_null() {
        return String::new();
    }
    // SAFETY: passed on.
    unsafe { CStr::from_ptr(text) }.to_string_lossy().into_owned()
}
