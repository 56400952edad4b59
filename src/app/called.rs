//! Which country a telephone number that is dialled belongs to: the digits in front (ITU-T E.164), and nothing of the number behind them.

/// What is said of a number that stays in the country, or of which nothing tells that it leaves it.
pub const AT_HOME: &str = "at home";

/// What stands before the country's code, after the digit by which a private exchange is left, if any, and how many digits follow it at least: area codes and
/// freephone begin with some of them, too (ITU-T E.123; Australia has 0011, North America 011).
const PREFIXES: [(&[u8], usize); 3] = [(b"0011", 9), (b"00", LEAST_DIGITS), (b"011", 10)];
/// Digits by which private exchanges are left.
const EXITS: [u8; 3] = *b"089";
/// Digits of the shortest number behind `+` or `00`, with the country's code.
const LEAST_DIGITS: usize = 7;
/// The same where the digit by which an exchange is left may be one of the number.
const LEAST_DIGITS_BEHIND_EXIT: usize = 9;
/// Digits of the longest number (E.164, 6.1).
const MOST_DIGITS: usize = 15;
/// Digits of a country's code.
const CODE_DIGITS: usize = 3;

/// Codes of countries, areas and services with who has them (ITU-T, list of assigned country codes, E.164). Their digits, and the text of a fact.
#[rustfmt::skip]
const CODES: [(u16, &str); 215] = [
    (1, "+1 (North America)"), (7, "+7 (Russia or Kazakhstan)"), (20, "+20 (Egypt)"), (27, "+27 (South Africa)"),
    (30, "+30 (Greece)"), (31, "+31 (Netherlands)"), (32, "+32 (Belgium)"), (33, "+33 (France)"), (34, "+34 (Spain)"),
    (36, "+36 (Hungary)"), (39, "+39 (Italy)"), (40, "+40 (Romania)"), (41, "+41 (Switzerland)"), (43, "+43 (Austria)"),
    (44, "+44 (United Kingdom)"), (45, "+45 (Denmark)"), (46, "+46 (Sweden)"), (47, "+47 (Norway)"), (48, "+48 (Poland)"),
    (49, "+49 (Germany)"), (51, "+51 (Peru)"), (52, "+52 (Mexico)"), (53, "+53 (Cuba)"), (54, "+54 (Argentina)"),
    (55, "+55 (Brazil)"), (56, "+56 (Chile)"), (57, "+57 (Colombia)"), (58, "+58 (Venezuela)"), (60, "+60 (Malaysia)"),
    (61, "+61 (Australia)"), (62, "+62 (Indonesia)"), (63, "+63 (Philippines)"), (64, "+64 (New Zealand)"),
    (65, "+65 (Singapore)"), (66, "+66 (Thailand)"), (81, "+81 (Japan)"), (82, "+82 (South Korea)"), (84, "+84 (Vietnam)"),
    (86, "+86 (China)"), (90, "+90 (Türkiye)"), (91, "+91 (India)"), (92, "+92 (Pakistan)"), (93, "+93 (Afghanistan)"),
    (94, "+94 (Sri Lanka)"), (95, "+95 (Myanmar)"), (98, "+98 (Iran)"), (211, "+211 (South Sudan)"), (212, "+212 (Morocco)"),
    (213, "+213 (Algeria)"), (216, "+216 (Tunisia)"), (218, "+218 (Libya)"), (220, "+220 (Gambia)"), (221, "+221 (Senegal)"),
    (222, "+222 (Mauritania)"), (223, "+223 (Mali)"), (224, "+224 (Guinea)"), (225, "+225 (Côte d'Ivoire)"),
    (226, "+226 (Burkina Faso)"), (227, "+227 (Niger)"), (228, "+228 (Togo)"), (229, "+229 (Benin)"), (230, "+230 (Mauritius)"),
    (231, "+231 (Liberia)"), (232, "+232 (Sierra Leone)"), (233, "+233 (Ghana)"), (234, "+234 (Nigeria)"), (235, "+235 (Chad)"),
    (236, "+236 (Central African Republic)"), (237, "+237 (Cameroon)"), (238, "+238 (Cabo Verde)"),
    (239, "+239 (São Tomé and Príncipe)"), (240, "+240 (Equatorial Guinea)"), (241, "+241 (Gabon)"), (242, "+242 (Congo)"),
    (243, "+243 (DR Congo)"), (244, "+244 (Angola)"), (245, "+245 (Guinea-Bissau)"), (246, "+246 (Diego Garcia)"),
    (247, "+247 (Ascension)"), (248, "+248 (Seychelles)"), (249, "+249 (Sudan)"), (250, "+250 (Rwanda)"),
    (251, "+251 (Ethiopia)"), (252, "+252 (Somalia)"), (253, "+253 (Djibouti)"), (254, "+254 (Kenya)"),
    (255, "+255 (Tanzania)"), (256, "+256 (Uganda)"), (257, "+257 (Burundi)"), (258, "+258 (Mozambique)"),
    (260, "+260 (Zambia)"), (261, "+261 (Madagascar)"), (262, "+262 (Réunion or Mayotte)"), (263, "+263 (Zimbabwe)"),
    (264, "+264 (Namibia)"), (265, "+265 (Malawi)"), (266, "+266 (Lesotho)"), (267, "+267 (Botswana)"),
    (268, "+268 (Eswatini)"), (269, "+269 (Comoros)"), (290, "+290 (Saint Helena)"), (291, "+291 (Eritrea)"),
    (297, "+297 (Aruba)"), (298, "+298 (Faroe Islands)"), (299, "+299 (Greenland)"), (350, "+350 (Gibraltar)"),
    (351, "+351 (Portugal)"), (352, "+352 (Luxembourg)"), (353, "+353 (Ireland)"), (354, "+354 (Iceland)"),
    (355, "+355 (Albania)"), (356, "+356 (Malta)"), (357, "+357 (Cyprus)"), (358, "+358 (Finland)"), (359, "+359 (Bulgaria)"),
    (370, "+370 (Lithuania)"), (371, "+371 (Latvia)"), (372, "+372 (Estonia)"), (373, "+373 (Moldova)"),
    (374, "+374 (Armenia)"), (375, "+375 (Belarus)"), (376, "+376 (Andorra)"), (377, "+377 (Monaco)"),
    (378, "+378 (San Marino)"), (380, "+380 (Ukraine)"), (381, "+381 (Serbia)"), (382, "+382 (Montenegro)"),
    (383, "+383 (Kosovo)"), (385, "+385 (Croatia)"), (386, "+386 (Slovenia)"), (387, "+387 (Bosnia and Herzegovina)"),
    (389, "+389 (North Macedonia)"), (420, "+420 (Czechia)"), (421, "+421 (Slovakia)"), (423, "+423 (Liechtenstein)"),
    (500, "+500 (Falkland Islands)"), (501, "+501 (Belize)"), (502, "+502 (Guatemala)"), (503, "+503 (El Salvador)"),
    (504, "+504 (Honduras)"), (505, "+505 (Nicaragua)"), (506, "+506 (Costa Rica)"), (507, "+507 (Panama)"),
    (508, "+508 (Saint Pierre and Miquelon)"), (509, "+509 (Haiti)"), (590, "+590 (Guadeloupe)"), (591, "+591 (Bolivia)"),
    (592, "+592 (Guyana)"), (593, "+593 (Ecuador)"), (594, "+594 (French Guiana)"), (595, "+595 (Paraguay)"),
    (596, "+596 (Martinique)"), (597, "+597 (Suriname)"), (598, "+598 (Uruguay)"), (599, "+599 (Curaçao)"),
    (670, "+670 (Timor-Leste)"), (672, "+672 (Norfolk Island)"), (673, "+673 (Brunei)"), (674, "+674 (Nauru)"),
    (675, "+675 (Papua New Guinea)"), (676, "+676 (Tonga)"), (677, "+677 (Solomon Islands)"), (678, "+678 (Vanuatu)"),
    (679, "+679 (Fiji)"), (680, "+680 (Palau)"), (681, "+681 (Wallis and Futuna)"), (682, "+682 (Cook Islands)"),
    (683, "+683 (Niue)"), (685, "+685 (Samoa)"), (686, "+686 (Kiribati)"), (687, "+687 (New Caledonia)"),
    (688, "+688 (Tuvalu)"), (689, "+689 (French Polynesia)"), (690, "+690 (Tokelau)"), (691, "+691 (Micronesia)"),
    (692, "+692 (Marshall Islands)"), (800, "+800 (international freephone)"), (808, "+808 (shared cost)"),
    (850, "+850 (North Korea)"), (852, "+852 (Hong Kong)"), (853, "+853 (Macao)"), (855, "+855 (Cambodia)"),
    (856, "+856 (Laos)"), (870, "+870 (Inmarsat)"), (878, "+878 (personal numbers)"), (880, "+880 (Bangladesh)"),
    (881, "+881 (satellite)"), (882, "+882 (international networks)"), (883, "+883 (international networks)"),
    (886, "+886 (Taiwan)"), (888, "+888 (disaster relief)"), (960, "+960 (Maldives)"), (961, "+961 (Lebanon)"),
    (962, "+962 (Jordan)"), (963, "+963 (Syria)"), (964, "+964 (Iraq)"), (965, "+965 (Kuwait)"), (966, "+966 (Saudi Arabia)"),
    (967, "+967 (Yemen)"), (968, "+968 (Oman)"), (970, "+970 (Palestine)"), (971, "+971 (United Arab Emirates)"),
    (972, "+972 (Israel)"), (973, "+973 (Bahrain)"), (974, "+974 (Qatar)"), (975, "+975 (Bhutan)"), (976, "+976 (Mongolia)"),
    (977, "+977 (Nepal)"), (979, "+979 (premium rate)"), (992, "+992 (Tajikistan)"), (993, "+993 (Turkmenistan)"),
    (994, "+994 (Azerbaijan)"), (995, "+995 (Georgia)"), (996, "+996 (Kyrgyzstan)"), (998, "+998 (Uzbekistan)"),
];

/// The country that is called by the address in a request (`sip:0044…@…`, `tel:+44…`): "+44 (United Kingdom)", or "at home".
///
/// None where no number stands there.
pub(super) fn country(uri: &[u8]) -> Option<&'static str> {
    let colon = uri.iter().position(|b| *b == b':')?;
    let user = uri.get(colon + 1..)?.split(|b| matches!(b, b'@' | b':' | b';' | b'>' | b' ')).next()?;
    let plus = [&b"+"[..], b"%2B", b"%2b"].into_iter().find(|plus| user.starts_with(plus));
    let is_abroad = plus.is_some();
    let mut number = [0_u8; CODE_DIGITS + 1 + MOST_DIGITS];
    let mut digits = 0;
    // Marks that make a number easier to read count for nothing (RFC 3966, 5.1.1).
    for byte in user.iter().skip(plus.map_or(0, <[u8]>::len)).filter(|byte| !b"-.()".contains(byte)) {
        *number.get_mut(digits).filter(|_| byte.is_ascii_digit())? = *byte;
        digits += 1;
    }
    let number = &number[..digits];
    let behind = if is_abroad { Some(number) } else { behind_prefix(number) };
    match behind.filter(|behind| (LEAST_DIGITS..=MOST_DIGITS).contains(&behind.len())) {
        Some(behind) => Some(of_code(behind).unwrap_or(AT_HOME)),
        None => (!number.is_empty()).then_some(AT_HOME),
    }
}

/// What stands behind the digits by which a country is left.
fn behind_prefix(number: &[u8]) -> Option<&[u8]> {
    let exits = number.split_first().filter(|(first, _)| EXITS.contains(first)).map(|(_, rest)| (rest, LEAST_DIGITS_BEHIND_EXIT));
    // Behind an exit first: of 000… the first digit is one, since no code begins with 0.
    [exits, Some((number, 0))].into_iter().flatten().find_map(|(number, least)| {
        PREFIXES.iter().find_map(|&(prefix, at_least)| {
            let behind = number.strip_prefix(prefix)?;
            (behind.len() >= at_least.max(least) && of_code(behind).is_some()).then_some(behind)
        })
    })
}

/// The country by whose code a number begins. No code begins with another.
fn of_code(number: &[u8]) -> Option<&'static str> {
    // Ten digits follow the code of North America, the first of them none of 0 and 1.
    if number.first() == Some(&b'1') && !(number.len() == 11 && matches!(number.get(1), Some(b'2'..=b'9'))) {
        return None;
    }
    let mut code = 0;
    number.iter().take(CODE_DIGITS).find_map(|digit| {
        code = code * 10 + u16::from(digit - b'0');
        CODES.binary_search_by_key(&code, |&(code, _)| code).ok().map(|place| CODES[place].1)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn countries_are_told_by_the_digits_in_front() {
        for (uri, want) in [
            ("sip:4411@10.1.1.5", Some(AT_HOME)),
            ("sip:0213456789@pbx.example", Some(AT_HOME)),
            ("sip:002525551000@pbx.example", Some("+252 (Somalia)")),
            ("sip:000371-90.02374@pbx.example", Some("+371 (Latvia)")),
            ("sip:901125249337277@pbx", Some("+252 (Somalia)")),
            ("sip:+442079460000;user=phone", Some("+44 (United Kingdom)")),
            ("sips:+1(202)5550100@pbx", Some("+1 (North America)")),
            ("tel:+351210000000", Some("+351 (Portugal)")),
            ("sip:00112@pbx", Some(AT_HOME)),
            ("sip:8005551212@pbx", Some(AT_HOME)),
            ("sip:9005551212@pbx", Some(AT_HOME)),
            ("sip:011987654321@pbx", Some(AT_HOME)),
            ("sip:001125261234567@pbx", Some("+252 (Somalia)")),
            ("sip:0012025550100@pbx", Some("+1 (North America)")),
            ("sip:%2B25261234567:secret@pbx", Some("+252 (Somalia)")),
            ("sip:01152345678@pbx", Some(AT_HOME)),
            ("sip:01144207946000@pbx", Some("+44 (United Kingdom)")),
            ("sip:00999999999999@pbx", Some(AT_HOME)),
            ("sip:smith@ward.example", None),
            ("sip:@ward.example", None),
            ("sip:123456789012345678901234567890@ward", None),
            ("4411", None),
        ] {
            assert_eq!(country(uri.as_bytes()), want, "{uri}");
        }
    }

    #[test]
    fn codes_are_in_their_order_and_none_begins_with_another() {
        assert!(CODES.windows(2).all(|pair| pair[0].0 < pair[1].0));
        for (code, text) in CODES {
            assert!(text.starts_with(&format!("+{code} (")), "{text}");
            assert!(CODES.iter().all(|(other, _)| *other != code / 10 && *other != code / 100), "{code}");
        }
    }
}
