//! Alert lines read back, with what their bits were drawn from.

use serde::Deserialize;

use crate::detect::{Claim, Detail, Evidence, Of};
use crate::feature::{Fact, Host};
use crate::flow::Service;

/// An alert line.
#[derive(Clone, Debug, PartialEq)]
pub struct Told {
    /// When it was raised.
    pub timestamp: String,
    /// The incident's identifier.
    pub id: String,
    /// Its class.
    pub class: String,
    /// Devices that it is about.
    pub hosts: Vec<String>,
    /// Its score, in bits.
    pub bits: f64,
    /// How often a window of normal time scores as much.
    pub p_value: f64,
    /// Digest of the model that judged; none where the capture taught itself.
    pub model: Option<String>,
    /// Bits that its conversations share, counted once.
    pub shared_bits: f64,
    /// Bits of conversations beyond those listed.
    pub other_bits: f64,
    /// The conversations with the most bits.
    pub conversations: Vec<ToldConversation>,
    /// Its reasons: in words, and in the terms of the model.
    pub reasons: Vec<(String, Claim)>,
}

/// A conversation in the score of an alert.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct ToldConversation {
    /// With whom.
    pub peer: String,
    /// What.
    pub service: String,
    /// Its own bits.
    pub bits: f64,
    /// How much of them counts.
    pub counts: f64,
    /// Bits that an ordinary conversation has too, which do not count.
    pub ordinary: f64,
    /// Bits that a stronger conversation has told already.
    pub repeated: f64,
    /// What they are made of.
    pub parts: Vec<ToldPart>,
}

/// A part of a conversation's own bits.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct ToldPart {
    /// What was looked at.
    pub feature: String,
    /// Its bits.
    pub bits: f64,
    /// How much of them counts.
    pub counts: f64,
}

/// Why a line is not read.
#[derive(Debug, thiserror::Error)]
pub enum ToldError {
    /// It is no alert of this program.
    #[error("no alert of auscult: {0}")]
    Form(#[from] serde_json::Error),
    /// Something in it is not in its form.
    #[error("unexpected {what}: {got:?}")]
    Value {
        /// What.
        what: &'static str,
        /// What stands there.
        got: String,
    },
}

#[derive(Deserialize)]
struct Line {
    event_type: String,
    #[serde(default)]
    timestamp: String,
    auscult: Option<Product>,
}

#[derive(Deserialize)]
struct Product {
    incident: IncidentPart,
    bits: f64,
    p_value: f64,
    score: ScorePart,
    why: Vec<Why>,
    model: ModelPart,
}

#[derive(Deserialize)]
struct IncidentPart {
    id: String,
    class: String,
    hosts: Vec<String>,
}

#[derive(Deserialize)]
struct ModelPart {
    digest: Option<String>,
}

#[derive(Deserialize)]
struct ScorePart {
    shared: f64,
    others: f64,
    conversations: Vec<ToldConversation>,
}

#[derive(Deserialize)]
struct Why {
    feature: String,
    observed: f64,
    bits: f64,
    text: String,
    #[serde(default)]
    prior_bits: f64,
    usual: Option<Usual>,
    about: About,
}

#[derive(Deserialize)]
struct Usual {
    of: String,
}

#[derive(Deserialize)]
struct About {
    host: Host,
    peer: Host,
    service: String,
    fact: Option<String>,
    behaviour: Option<u16>,
    distance: Option<f32>,
    #[serde(default)]
    later: bool,
    odd_hour_days: Option<u32>,
    #[serde(default)]
    call_back: bool,
    #[serde(default)]
    pages: bool,
    #[serde(default)]
    amplified: bool,
    #[serde(default)]
    flooding: bool,
    #[serde(default)]
    name_of_another: bool,
    #[serde(default)]
    calls_out: bool,
    #[serde(default)]
    goes_on: bool,
    #[serde(default)]
    hides: bool,
    reached: Option<u32>,
}

impl Told {
    /// Reads a line; none where it is another event than an alert.
    ///
    /// # Errors
    /// Says what is not in its form.
    pub fn read(line: &str) -> Result<Option<Self>, ToldError> {
        let line: Line = serde_json::from_str(line)?;
        let Some(product) = line.auscult.filter(|_| line.event_type == "alert") else { return Ok(None) };
        let IncidentPart { id, class, hosts } = product.incident;
        let ScorePart { shared, others, conversations } = product.score;
        Ok(Some(Self {
            timestamp: line.timestamp,
            id,
            class,
            hosts,
            bits: product.bits,
            p_value: product.p_value,
            model: product.model.digest,
            shared_bits: shared,
            other_bits: others,
            conversations,
            reasons: product.why.into_iter().map(claim).collect::<Result<_, _>>()?,
        }))
    }
}

fn claim(why: Why) -> Result<(String, Claim), ToldError> {
    let About {
        host,
        peer,
        service,
        fact,
        behaviour,
        distance,
        later,
        odd_hour_days,
        call_back,
        pages,
        amplified,
        flooding,
        name_of_another,
        calls_out,
        reached,
        goes_on,
        hides,
    } = why.about;
    let parse_service = |text: String| text.parse::<Service>().map_err(|_| ToldError::Value { what: "service", got: text });
    let parse_fact = |text: String| text.parse::<Fact>().map_err(|_| ToldError::Value { what: "fact", got: text });
    let fact = fact.map(parse_fact).transpose()?;
    let evidence = Evidence::of_feature(&why.feature, fact.map(|fact| fact.kind), distance.is_some());
    let evidence = evidence.ok_or(ToldError::Value { what: "feature", got: why.feature })?;
    let detail = match (distance, behaviour) {
        (Some(distance), _) => Detail::Distance(distance),
        (None, Some(behaviour)) => Detail::Behaviour(behaviour),
        (None, None) if later => Detail::Later,
        (None, None) if call_back => Detail::CallBack,
        (None, None) if pages => Detail::Pages,
        (None, None) if amplified => Detail::Amplified,
        (None, None) if flooding => Detail::Flooding,
        (None, None) if name_of_another => Detail::NameOfAnother,
        (None, None) if calls_out => Detail::CallsOut,
        (None, None) if goes_on => Detail::GoesOn,
        (None, None) if hides => Detail::Hides,
        (None, None) => reached.map(Detail::Reaches).or(odd_hour_days.map(Detail::OddHour)).unwrap_or_default(),
    };
    let service = parse_service(service)?;
    let parse_whose = |Usual { of }| Of::parse(&of).ok_or(ToldError::Value { what: "usual.of", got: of });
    let whose = why.usual.map_or(Ok(Of::Device), parse_whose)?;
    let (observed, prior_bits, bits) = (why.observed, why.prior_bits, why.bits);
    Ok((why.text, Claim { evidence, host, peer, service, fact, detail, observed, whose, prior_bits, bits }))
}
