"""What Demo Rides sends: its event types, and their words in English (the default) and German."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from apps.core.enums import Category, Channel
from apps.ingest.management.demo_mail import button, facts, figure, layout, leaving, small, title, words
from apps.templates.services import Source

LAYOUT_KEY = "demo_layout"


@dataclass(frozen=True)
class Demo:
    """One event type with its template."""

    event_type: str
    name: str
    category: Category
    template_key: str
    channels: tuple[Channel, ...]
    sample: Mapping[str, Any]
    variants: tuple[Source, ...]
    fallback: tuple[Channel, ...] = ()
    sensitive_keys: tuple[str, ...] = ()
    critical_reason: str = ""
    owner: str = field(default="Demo Rides")


def _push(locale: str, heading: str, body: str, action_url: str = "") -> Source:
    link = {"action_url": action_url} if action_url else {}
    return Source(Channel.PUSH, locale, {"title": heading, "body": body, **link})


def _in_app(locale: str, heading: str, body: str, icon: str, action_url: str = "") -> Source:
    link = {"action_url": action_url} if action_url else {}
    return Source(Channel.IN_APP, locale, {"title": heading, "body": body, "icon": icon, **link})


def _email(locale: str, subject: str, preheader: str, *parts: str) -> Source:
    return Source(Channel.EMAIL, locale, {"subject": subject, "preheader": preheader, "html": "".join(parts)})


def _sms(locale: str, body: str) -> Source:
    return Source(Channel.SMS, locale, {"body": body})


def _layout(locale: str, lang: str, why: str, preferences: str) -> Source:
    text = f"{{{{ content }}}}\n\n-- \n{why}{{% if vars.preferences_url %}}\n{preferences}: {{{{ vars.preferences_url }}}}{{% endif %}}"
    return Source(Channel.EMAIL, locale, {"html": layout(lang=lang, why=why, preferences=preferences), "text": text})


LAYOUT = (
    _layout(
        "", "en", "You get this message because you have an account with {{ tenant.name }}.", "Choose what you get"
    ),
    _layout(
        "de", "de", "Du bekommst diese Nachricht, weil du ein Konto bei {{ tenant.name }} hast.", "Was du bekommst"
    ),
)

RIDE_BOOKED = Demo(
    event_type="ride.booked",
    name="Ride booked",
    category=Category.TRANSACTIONAL,
    template_key="ride_booked",
    channels=(Channel.PUSH, Channel.EMAIL, Channel.SMS, Channel.IN_APP),
    sample={
        "ride": {
            "id": "R-1029",
            "driver": "Mara",
            "car": "white Skoda, B-RD 4711",
            "pickup": "Alexanderplatz 3",
            "eta_minutes": 4,
        }
    },
    variants=(
        _push(
            "",
            "{{ data.ride.driver }} is on the way",
            "{{ data.ride.car }} reaches {{ data.ride.pickup }} in {{ data.ride.eta_minutes }} min.",
        ),
        _push(
            "de",
            "{{ data.ride.driver }} ist unterwegs",
            "{{ data.ride.car }} ist in {{ data.ride.eta_minutes }} Min. an der Adresse {{ data.ride.pickup }}.",
        ),
        _email(
            "",
            "{{ data.ride.driver }} picks you up in {{ data.ride.eta_minutes }} minutes",
            "{{ data.ride.car }}, at {{ data.ride.pickup }}.",
            title("{{ data.ride.driver }} is on the way"),
            words("Your ride is booked{% if recipient.first_name %}, {{ recipient.first_name }}{% endif %}."),
            figure("{{ data.ride.eta_minutes }} min", "until {{ data.ride.driver }} reaches you"),
            facts(
                ("Car", "{{ data.ride.car }}"),
                ("Pick-up", "{{ data.ride.pickup }}"),
                ("Ride", "{{ data.ride.id }}"),
            ),
            small("Please check the number plate before you get in."),
        ),
        _email(
            "de",
            "{{ data.ride.driver }} holt dich in {{ data.ride.eta_minutes }} Minuten ab",
            "{{ data.ride.car }}, Abholung: {{ data.ride.pickup }}.",
            title("{{ data.ride.driver }} ist unterwegs"),
            words("Deine Fahrt ist gebucht{% if recipient.first_name %}, {{ recipient.first_name }}{% endif %}."),
            figure("{{ data.ride.eta_minutes }} Min.", "bis {{ data.ride.driver }} bei dir ist"),
            facts(
                ("Auto", "{{ data.ride.car }}"),
                ("Abholung", "{{ data.ride.pickup }}"),
                ("Fahrt", "{{ data.ride.id }}"),
            ),
            small("Bitte vergleiche vor dem Einsteigen das Kennzeichen."),
        ),
        _sms(
            "",
            "Emergency contact: a ride was booked with you as contact. {{ data.ride.driver }} ({{ data.ride.car }}) picks up at"
            " {{ data.ride.pickup }} in {{ data.ride.eta_minutes }} min. Ride {{ data.ride.id }}",
        ),
        _sms(
            "de",
            "Notfallkontakt: Fahrt {{ data.ride.id }} wurde mit dir als Kontakt gebucht. {{ data.ride.driver }}"
            " ({{ data.ride.car }}) holt in {{ data.ride.eta_minutes }} Min. ab: {{ data.ride.pickup }}",
        ),
        _in_app(
            "",
            "{{ data.ride.driver }} is on the way",
            "{{ data.ride.car }} reaches {{ data.ride.pickup }} in {{ data.ride.eta_minutes }} min.",
            "car",
        ),
        _in_app(
            "de",
            "{{ data.ride.driver }} ist unterwegs",
            "{{ data.ride.car }} ist in {{ data.ride.eta_minutes }} Min. an der Adresse {{ data.ride.pickup }}.",
            "car",
        ),
    ),
)

ORDER_SHIPPED = Demo(
    event_type="order.shipped",
    name="Order shipped",
    category=Category.TRANSACTIONAL,
    template_key="order_shipped_v3",
    channels=(Channel.PUSH, Channel.EMAIL, Channel.SMS, Channel.IN_APP),
    sample={"order_id": "ord_91827", "carrier": "BlueDart", "tracking_url": "https://track.example.com/ord_91827"},
    variants=(
        _push(
            "",
            "Your order is on its way",
            "{{ data.carrier | default: 'The carrier' }} has order {{ data.order_id }}.",
            "{{ data.tracking_url | default: '' }}",
        ),
        _push(
            "de",
            "Deine Bestellung ist unterwegs",
            "Bestellung {{ data.order_id }} ist bei {{ data.carrier | default: 'der Post' }}.",
            "{{ data.tracking_url | default: '' }}",
        ),
        _email(
            "",
            "Order {{ data.order_id }} is on its way",
            "Handed to {{ data.carrier | default: 'the carrier' }} just now.",
            title("Your order is on its way"),
            words("We have handed order {{ data.order_id }} to {{ data.carrier | default: 'the carrier' }}."),
            "{% if data.tracking_url %}",
            button("{{ data.tracking_url }}", "Follow your order"),
            "{% endif %}",
        ),
        _email(
            "de",
            "Bestellung {{ data.order_id }} ist unterwegs",
            "Eben übergeben an {{ data.carrier | default: 'die Post' }}.",
            title("Deine Bestellung ist unterwegs"),
            words("Wir haben Bestellung {{ data.order_id }} an {{ data.carrier | default: 'die Post' }} übergeben."),
            "{% if data.tracking_url %}",
            button("{{ data.tracking_url }}", "Sendung verfolgen"),
            "{% endif %}",
        ),
        _sms(
            "", "Order {{ data.order_id }} is on its way{% if data.tracking_url %}: {{ data.tracking_url }}{% endif %}"
        ),
        _sms(
            "de",
            "Bestellung {{ data.order_id }} ist unterwegs{% if data.tracking_url %}: {{ data.tracking_url }}{% endif %}",
        ),
        _in_app(
            "",
            "Your order is on its way",
            "{{ data.carrier | default: 'The carrier' }} has order {{ data.order_id }}.",
            "box",
            "{{ data.tracking_url | default: '' }}",
        ),
        _in_app(
            "de",
            "Deine Bestellung ist unterwegs",
            "Bestellung {{ data.order_id }} ist bei {{ data.carrier | default: 'der Post' }}.",
            "box",
            "{{ data.tracking_url | default: '' }}",
        ),
    ),
)

LOGIN_CODE = Demo(
    event_type="login.code",
    name="Login code",
    category=Category.CRITICAL,
    template_key="login_code",
    channels=(Channel.SMS, Channel.EMAIL),
    sensitive_keys=("code",),
    critical_reason="Without the code nobody can sign in.",
    sample={"code": "471108"},
    variants=(
        _sms("", "{{ data.code }} is your {{ tenant.name }} code. Never pass it on."),
        _sms("de", "{{ data.code }} ist dein Code für {{ tenant.name }}. Gib ihn nie weiter."),
        _email(
            "",
            "Your {{ tenant.name }} code",
            "Valid for ten minutes.",
            title("Your login code"),
            figure("{{ data.code }}", "valid for ten minutes"),
            small("If you did not ask for it, ignore this message. We never ask you for this code."),
        ),
        _email(
            "de",
            "Dein Code für {{ tenant.name }}",
            "Zehn Minuten gültig.",
            title("Dein Anmeldecode"),
            figure("{{ data.code }}", "zehn Minuten gültig"),
            small("Hast du ihn nicht angefordert? Dann beachte diese Nachricht nicht. Wir fragen nie danach."),
        ),
    ),
)

POST_LIKED = Demo(
    event_type="post.liked",
    name="Post liked",
    category=Category.SOCIAL,
    template_key="post_liked",
    channels=(Channel.PUSH, Channel.IN_APP),
    sample={"actor_name": "Mira", "post_title": "Tram 28 at dawn", "post_url": "/posts/28"},
    variants=(
        _push("", "{{ data.actor_name }} likes your post", "{{ data.post_title | default: 'Have a look' }}"),
        _push("de", "{{ data.actor_name }} gefällt dein Beitrag", "{{ data.post_title | default: 'Sieh nach' }}"),
        _in_app(
            "",
            "{{ data.actor_name }} likes your post",
            "{{ data.post_title | default: 'Have a look' }}",
            "heart",
            "{{ data.post_url | default: '' }}",
        ),
        _in_app(
            "de",
            "{{ data.actor_name }} gefällt dein Beitrag",
            "{{ data.post_title | default: 'Sieh nach' }}",
            "heart",
            "{{ data.post_url | default: '' }}",
        ),
    ),
)

SPRING_SALE = Demo(
    event_type="spring.sale",
    name="Spring sale",
    category=Category.MARKETING,
    template_key="spring_sale",
    channels=(Channel.EMAIL, Channel.PUSH, Channel.IN_APP),
    sample={"percent": 20, "until": "2026-05-31", "url": "https://rides.example.com/spring"},
    variants=(
        _push("", "{{ data.percent }} % off your spring rides", "Until {{ data.until | date: 'd MMMM' }}."),
        _push("de", "{{ data.percent }} % auf Fahrten im Frühling", "Bis {{ data.until | date: 'd. MMMM' }}."),
        _email(
            "",
            "{{ data.percent }} % off, until {{ data.until | date: 'd MMMM' }}",
            "Spring is better with the window down.",
            title("Spring is better with the window down"),
            words("Every ride until {{ data.until | date: 'd MMMM' }} costs {{ data.percent }} % less."),
            button("{{ data.url | default: 'https://rides.example.com' }}", "Book a ride"),
            leaving("No more offers", "Show in the browser"),
        ),
        _email(
            "de",
            "{{ data.percent }} % weniger, bis {{ data.until | date: 'd. MMMM' }}",
            "Frühling ist mit offenem Fenster schöner.",
            title("Frühling ist mit offenem Fenster schöner"),
            words("Jede Fahrt bis {{ data.until | date: 'd. MMMM' }} kostet {{ data.percent }} % weniger."),
            button("{{ data.url | default: 'https://rides.example.com' }}", "Fahrt buchen"),
            leaving("Keine Angebote mehr", "Im Browser zeigen"),
        ),
        _in_app("", "{{ data.percent }} % off your spring rides", "Until {{ data.until | date: 'd MMMM' }}.", "tag"),
        _in_app("de", "{{ data.percent }} % auf Fahrten im Frühling", "Bis {{ data.until | date: 'd. MMMM' }}.", "tag"),
    ),
)

ALL = (RIDE_BOOKED, ORDER_SHIPPED, LOGIN_CODE, POST_LIKED, SPRING_SALE)
