//! D-Bus, as much of it as systemd's manager asks for: one socket, one call at a time (D-Bus Specification). How values look
//! on it is the crate `zbus`'s affair.

use std::collections::VecDeque;
use std::io::{ErrorKind, Read, Write};
use std::os::unix::net::{SocketAddr, UnixStream};
use std::time::{Duration, Instant};

use nix::sys::socket::{getsockopt, sockopt};
use serde::Serialize;
use serde::de::DeserializeOwned;
use zbus::wire::serialized::{Context, Data};
use zbus::wire::{Endian, LE, to_bytes};
use zbus::{ObjectPath, Type, Variant};

use super::address::Address;
use crate::error::{Error, Result};

/// How long systemd may take for anything that we ask of it.
const PATIENCE: Duration = Duration::from_secs(30);

/// The most bytes of a message (D-Bus Specification, "Message Protocol").
const LONGEST: usize = 128 << 20;

/// The bus itself, which is an object as well.
const BUS: Object = Object {
    service: "org.freedesktop.DBus",
    path: "/org/freedesktop/DBus",
    interface: "org.freedesktop.DBus",
};

/// Whom a call is for.
#[derive(Debug, Clone, Copy)]
pub(super) struct Object {
    /// Its service's name on the bus.
    pub(super) service: &'static str,
    /// Its path in the service.
    pub(super) path: &'static str,
    /// Which of its interfaces.
    pub(super) interface: &'static str,
}

/// A connection. It is closed when this is dropped, and on execve(2).
#[derive(Debug)]
pub(super) struct Bus {
    socket: UnixStream,
    serial: u32,
    /// What came while something else was awaited.
    signals: VecDeque<Message>,
}

/// What the other side said.
#[derive(Debug)]
pub(super) struct Message {
    kind: u8,
    fields: Fields,
    endian: Endian,
    body: Vec<u8>,
}

/// What is said of it, for whoever passes it on.
#[derive(Debug, Default)]
struct Fields {
    member: String,
    error: String,
    reply_to: u32,
    sender: String,
}

/// The first bytes of a message, as they are on the wire: byte order, kind, flags, version, length of the body, serial, fields.
type Header<'a> = (u8, u8, u8, u8, u32, u32, Vec<(u8, Variant<'a>)>);

/// Kinds of messages.
const CALL: u8 = 1;
const ANSWER: u8 = 2;
const FAULT: u8 = 3;
const SIGNAL: u8 = 4;

/// What an answer was, if it was not the one that was hoped for.
#[derive(Debug)]
pub(super) struct Fault {
    /// The error's name, such as `org.freedesktop.systemd1.NoSuchUnit`; empty where the connection failed.
    pub(super) name: String,
    /// What it says.
    pub(super) text: String,
}

impl Fault {
    /// As what went wrong when systemd was asked to do `what`.
    pub(super) fn when(self, what: impl Into<String>) -> Error {
        let named = if self.name.is_empty() { String::new() } else { format!(" ({})", self.name) };
        Error::Systemd { asked: what.into(), problem: format!("{}{named}", self.text) }
    }

    fn of_connection(error: &std::io::Error) -> Fault {
        let text = match error.kind() {
            ErrorKind::WouldBlock => format!("no answer within {} s", PATIENCE.as_secs()),
            _ => error.to_string(),
        };
        Fault { name: String::new(), text }
    }

    fn of_words(error: &zbus::Error) -> Fault {
        Fault { name: String::new(), text: format!("not understood: {error}") }
    }
}

impl Bus {
    /// Connects, and says who we are: nothing but what the socket says by itself (EXTERNAL without a name), which is right in a
    /// user namespace, too, where our ids are others outside.
    pub(super) fn connect(address: &Address) -> Result<Bus, Fault> {
        let socket = open(&address.socket).map_err(|error| Fault::of_connection(&error))?;
        // It would take the numbers of processes that we name for those of other ones.
        if getsockopt(&socket, sockopt::PeerCredentials).is_ok_and(|peer| peer.pid() == 0) {
            let text = "it is outside of our PID namespace: processes have other numbers there".to_owned();
            return Err(Fault { name: String::new(), text });
        }
        let mut bus = Bus { socket, serial: 0, signals: VecDeque::new() };
        bus.introduce().map_err(|error| Fault::of_connection(&error))?;
        if address.is_bus {
            bus.call(&BUS, "Hello", &())?;
        }
        Ok(bus)
    }

    fn introduce(&mut self) -> std::io::Result<()> {
        self.socket.write_all(b"\0AUTH EXTERNAL\r\nDATA\r\nBEGIN\r\n")?;
        // Nothing follows the two lines: nobody has been asked for anything yet.
        let (mut said, mut buffer) = (Vec::new(), [0; 512]);
        while said.iter().filter(|byte| **byte == b'\n').count() < 2 {
            match self.socket.read(&mut buffer)? {
                0 => return Err(ErrorKind::UnexpectedEof.into()),
                length => said.extend_from_slice(buffer.get(..length).unwrap_or_default()),
            }
        }
        let said = String::from_utf8_lossy(&said);
        match said.lines().nth(1) {
            Some(line) if line.starts_with("OK ") => Ok(()),
            _ => Err(std::io::Error::other(format!("it does not let us in: {}", said.trim_end()))),
        }
    }

    /// Asks to hear the signals that `rule` describes. Whoever is no bus sends them anyway.
    pub(super) fn listen(&mut self, address: &Address, rule: &str) -> Result<(), Fault> {
        if address.is_bus { self.call(&BUS, "AddMatch", &(rule,)).map(drop) } else { Ok(()) }
    }

    /// Calls the method `member`, with the values of the tuple `body`, and waits for its answer.
    pub(super) fn call<B: Serialize + Type>(
        &mut self,
        to: &Object,
        member: &str,
        body: &B,
    ) -> Result<Message, Fault> {
        self.serial += 1;
        let message = call(self.serial, to, member, body).map_err(|error| Fault::of_words(&error))?;
        self.socket.write_all(&message).map_err(|error| Fault::of_connection(&error))?;
        let end = Instant::now() + PATIENCE;
        loop {
            let message = self.receive(end)?;
            match message.kind {
                ANSWER if message.fields.reply_to == self.serial => return Ok(message),
                FAULT if message.fields.reply_to == self.serial => return Err(message.fault()),
                SIGNAL => self.signals.push_back(message),
                // Nobody has a reason to call us.
                _ => {}
            }
        }
    }

    /// The next signal `member` of the one who gave `answer`: whoever is on the bus can send one that looks like it.
    pub(super) fn signal(&mut self, member: &str, answer: &Message) -> Result<Message, Fault> {
        let end = Instant::now() + PATIENCE;
        loop {
            let message = match self.signals.pop_front() {
                Some(message) => message,
                None => self.receive(end)?,
            };
            if message.kind == SIGNAL
                && message.fields.member == member
                && message.fields.sender == answer.fields.sender
            {
                return Ok(message);
            }
        }
    }

    fn receive(&mut self, end: Instant) -> Result<Message, Fault> {
        if Instant::now() > end {
            return Err(Fault::of_connection(&ErrorKind::WouldBlock.into()));
        }
        let mut bytes = vec![0; 16];
        self.read(&mut bytes, 0)?;
        let endian = if bytes.first() == Some(&b'B') { Endian::Big } else { LE };
        let number = |at: usize| endian.read_u32(&bytes[at..at + 4]) as usize;
        let (body, fields) = (number(4), number(12));
        let header = 16_usize.saturating_add(fields).next_multiple_of(8);
        let length = header.saturating_add(body);
        if length > LONGEST {
            return Err(Fault { name: String::new(), text: format!("a message of {length} bytes") });
        }
        bytes.resize(length, 0);
        self.read(&mut bytes, 16)?;
        Message::of(bytes, header, endian).map_err(|error| Fault::of_words(&error))
    }

    fn read(&mut self, bytes: &mut [u8], from: usize) -> Result<(), Fault> {
        let rest = bytes.get_mut(from..).unwrap_or_default();
        self.socket.read_exact(rest).map_err(|error| Fault::of_connection(&error))
    }
}

fn open(address: &SocketAddr) -> std::io::Result<UnixStream> {
    let socket = UnixStream::connect_addr(address)?;
    socket.set_read_timeout(Some(PATIENCE))?;
    socket.set_write_timeout(Some(PATIENCE))?;
    Ok(socket)
}

/// A call as it is on the wire.
fn call<B: Serialize + Type>(serial: u32, to: &Object, member: &str, body: &B) -> zbus::Result<Vec<u8>> {
    let values = to_bytes(Context::new(LE, 0), body)?;
    let fields: Vec<(u8, Variant<'_>)> = vec![
        (1, ObjectPath::try_from(to.path)?.into()),
        (2, to.interface.into()),
        (3, member.into()),
        (6, to.service.into()),
    ];
    let header: Header<'_> = (b'l', CALL, 0, 1, values.len() as u32, serial, fields);
    let mut message = to_bytes(Context::new(LE, 0), &header)?.to_vec();
    if !values.is_empty() {
        // One more field, the body's types. They stand one after another, where the crate knows a signature of several only as
        // that of a structure.
        let types = B::SIGNATURE.to_string_no_parens();
        message.resize(message.len().next_multiple_of(8), 0);
        message.extend_from_slice(&[8, 1, b'g', 0, types.len() as u8]);
        message.extend_from_slice(types.as_bytes());
        message.push(0);
        let fields = message.len() as u32 - 16;
        message[12..16].copy_from_slice(&fields.to_le_bytes());
    }
    message.resize(message.len().next_multiple_of(8), 0);
    message.extend_from_slice(&values);
    Ok(message)
}

impl Message {
    fn of(bytes: Vec<u8>, header: usize, endian: Endian) -> zbus::Result<Message> {
        let data = Data::new(bytes.get(..header).unwrap_or_default(), Context::new(endian, 0));
        let ((_, kind, _, _, _, _, listed), _): (Header<'_>, usize) = data.deserialize()?;
        let mut fields = Fields::default();
        for field in listed {
            match field {
                (3, Variant::Str(member)) => fields.member = member.to_string(),
                (4, Variant::Str(name)) => fields.error = name.to_string(),
                (5, Variant::U32(serial)) => fields.reply_to = serial,
                (7, Variant::Str(name)) => fields.sender = name.to_string(),
                _ => {}
            }
        }
        Ok(Message { kind, fields, endian, body: bytes.get(header..).unwrap_or_default().to_vec() })
    }

    /// Its values, as a tuple.
    pub(super) fn values<T: DeserializeOwned + Type>(&self) -> Result<T, Fault> {
        let data = Data::new(self.body.as_slice(), Context::new(self.endian, 0));
        data.deserialize().map(|(values, _)| values).map_err(|error| Fault::of_words(&error))
    }

    /// The first of its values, a variant with a text in it.
    pub(super) fn text(&self) -> Result<String, Fault> {
        let data = Data::new(self.body.as_slice(), Context::new(self.endian, 0));
        let values: ((Variant<'_>,), usize) = data.deserialize().map_err(|error| Fault::of_words(&error))?;
        match values.0.0 {
            Variant::Str(text) => Ok(text.to_string()),
            other => Err(Fault { name: String::new(), text: format!("not a text: {other:?}") }),
        }
    }

    fn fault(self) -> Fault {
        let text = self.values::<(String,)>().map_or_else(|_| "no reason given".to_owned(), |(text,)| text);
        Fault { name: self.fields.error, text }
    }
}
