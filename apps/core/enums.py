"""The closed sets of words. Each member's sentence is what API, timeline and pages show; `sentence` reads it.

Values are lower-snake codes and part of the API: never rename one.
"""

from enum import StrEnum


class Worded(StrEnum):
    """A StrEnum whose members carry one plain sentence."""

    sentence: str

    def __new__(cls, value: str, sentence: str = "") -> "Worded":
        member = str.__new__(cls, value)
        member._value_ = value
        member.sentence = sentence
        return member


class Channel(StrEnum):
    PUSH = "push"
    EMAIL = "email"
    SMS = "sms"
    IN_APP = "in_app"


class Category(Worded):
    """What a recipient can switch. The lane of a notification is its category."""

    CRITICAL = "critical", "Needed for the person's security or safety; always sent."
    TRANSACTIONAL = "transactional", "Follows from something the person did."
    SOCIAL = "social", "Something other people did that concerns the person."
    MARKETING = "marketing", "Promotion; only with the person's consent."


class Priority(StrEnum):
    """Order within a lane. It never changes the lane."""

    HIGH = "high"
    NORMAL = "normal"
    LOW = "low"

    @property
    def rank(self) -> int:
        """0 is first."""
        return ("high", "normal", "low").index(self.value)


class KeyMode(Worded):
    TEST = "test", "Reaches the sandbox only."
    TEAM = "team", "Reaches the tenant's guest list only."
    LIVE = "live", "Reaches real people."


class Scope(Worded):
    NOTIFICATIONS_WRITE = "notifications:write", "Send and cancel notifications."
    NOTIFICATIONS_READ = "notifications:read", "Read notifications and their timelines."
    USERS_WRITE = "users:write", "Read and change people and their endpoints."
    NOTIFICATIONS_CRITICAL = "notifications:critical", "Send critical messages of no approved event type."
    CAMPAIGNS_READ = "campaigns:read", "Read campaigns, their runs, results and costs."
    CAMPAIGNS_WRITE = "campaigns:write", "Make and change campaigns; with the next one, send in bulk."
    CAMPAIGNS_LAUNCH = "campaigns:launch", "Launch, pause, resume, slow down and cancel campaigns."
    OPERATOR = "operator", "Retry, replay and give up failed work."
    ADMIN = "admin", "Change event types, templates and everything above."


class EndpointKind(StrEnum):
    EMAIL = "email"
    PHONE = "phone"
    DEVICE = "device"
    WEB_PUSH = "web_push"
    INBOX = "inbox"


class Platform(StrEnum):
    IOS = "ios"
    ANDROID = "android"
    WEB = "web"


class NotificationStatus(Worded):
    """Derived from the deliveries; never stored."""

    SCHEDULED = "scheduled", "Waits for its time."
    QUEUED = "queued", "Accepted; will be decided and sent."
    HELD = "held", "Held back until a better moment."
    SENDING = "sending", "Being handed to a provider."
    SENT = "sent", "A provider took it; no proof of arrival yet."
    DELIVERED = "delivered", "At least one channel proved its arrival."
    UNKNOWN = "unknown", "A provider may or may not have taken it."
    BOUNCED = "bounced", "The address refused it."
    FAILED = "failed", "No channel could send it."
    EXPIRED = "expired", "Its time was over before it could be sent."
    CANCELLED = "cancelled", "Cancelled before it was sent."
    MERGED = "merged", "It is part of a summary, which has a story of its own."
    SKIPPED = "skipped", "Withheld on every channel; each has its reason."


class DeliveryStatus(Worded):
    """One delivery: exclusive, only ever advances (ledger/lifecycle.py)."""

    QUEUED = "queued", "Waits for a worker."
    HELD = "held", "Held back until a better moment."
    SENDING = "sending", "Being handed to the provider."
    SENT = "sent", "The provider took it; no proof of arrival yet."
    DELIVERED = "delivered", "The provider proved its arrival."
    SKIPPED = "skipped", "Withheld."
    FAILED = "failed", "Could not be sent."
    BOUNCED = "bounced", "The address refused it."
    EXPIRED = "expired", "Its time was over before it could be sent."
    CANCELLED = "cancelled", "Cancelled before it was sent."
    UNKNOWN = "unknown", "The provider may or may not have taken it."
    MERGED = "merged", "It is part of a summary, which has a story of its own."


class Reason(Worded):
    """Why a message was not sent, or not yet. Every "no" has exactly one."""

    EXPIRED = "expired", "Its expiry time had passed."
    CANCELLED = "cancelled", "It was cancelled."
    PAUSED = "paused", "Its campaign is paused."
    OVER_BUDGET = "over_budget", "The budget of its campaign was used up."
    SENT_BEFORE = "sent_before", "The recipient, or somebody else at the same address, had this message already."
    UNKNOWN_RECIPIENT = "unknown_recipient", "The recipient does not exist any more."
    RECIPIENT_BLOCKED = "recipient_blocked", "The recipient is blocked."
    NOT_ON_GUEST_LIST = (
        "not_on_guest_list",
        "A team key sends to the guest list only, and this recipient is not on it.",
    )
    NO_ENDPOINT = "no_endpoint", "The recipient has no address for this channel."
    ENDPOINT_UNVERIFIED = "endpoint_unverified", "The recipient's address for this channel is not verified."
    ENDPOINT_RETIRED = "endpoint_retired", "The recipient's address for this channel is no longer in use."
    SUPPRESSED = "suppressed", "The address is suppressed after a bounce, a complaint or an opt-out."
    TOPIC_OFF = "topic_off", "The recipient switched this kind of message off."
    CHANNEL_OFF = "channel_off", "The recipient switched this channel off."
    OFF_BY_DEFAULT = "off_by_default", "This kind of message is off unless the recipient switches it on."
    MUTED = "muted", "The recipient muted it for a time."
    ACTOR_BLOCKED = "actor_blocked", "The recipient blocked the person who caused it."
    CHANNEL_NOT_ALLOWED = "channel_not_allowed", "Messages of low priority are not sent by SMS."
    DUPLICATE = "duplicate", "The same content was sent to this recipient a moment ago."
    SUPERSEDED = "superseded", "A fuller message about the same thing takes its place."
    AWAITS_FULLER = "awaits_fuller", "It waits a moment for a fuller message about the same thing."
    SEEN_ELSEWHERE = "seen_elsewhere", "The recipient has seen it on another channel meanwhile."
    QUIET_HOURS = "quiet_hours", "It waits for the end of the recipient's quiet hours."
    FREQUENCY_CAP = "frequency_cap", "The recipient has had as many messages as are allowed for now."
    GROUPED = "grouped", "It waits to be summed up with others of its kind."
    IN_DIGEST = "in_digest", "It waits for the recipient's next digest."
    NO_TEMPLATE = "no_template", "There is no published content for this channel."
    TEMPLATE_ERROR = "template_error", "The template could not be rendered with the data given."
    NO_PROVIDER = "no_provider", "No provider is set up for this channel."
    INVALID_ADDRESS = "invalid_address", "The provider says that this address does not exist."
    OPTED_OUT = "opted_out", "The recipient opted out at the provider."
    REJECTED = "rejected", "The provider refused the message itself."
    MISCONFIGURED = "misconfigured", "The provider account is not set up correctly."
    RETRIES_EXHAUSTED = "retries_exhausted", "Every planned attempt failed."
    HARD_BOUNCE = "hard_bounce", "The address bounced for good."
    SOFT_BOUNCE = "soft_bounce", "The mailbox refused it for now."
    COMPLAINED = "complained", "The recipient reported it as unwanted."
    IN_DOUBT = "in_doubt", "The provider gave no answer: it may or may not have taken the message."
    POISONED = "poisoned", "Workers died on it three times, so it was set aside."
    GIVEN_UP = "given_up", "An operator gave it up."
    INTERNAL_ERROR = "internal_error", "A fault of ours stopped it; it was set aside for an operator."
    NO_PROOF = "no_proof", "No proof of arrival came in time."
    ERASED = "erased", "Its sensitive data was erased before this channel's turn came."


class OutcomeKind(Worded):
    """A provider's immediate answer (routing/retrying.py says what follows)."""

    ACCEPTED = "accepted", "The provider took the message."
    THROTTLED = "throttled", "The provider asked to slow down."
    TRANSIENT = "transient", "A passing fault; tried again later."
    PROVIDER_DOWN = "provider_down", "The provider could not be reached; nothing was sent."
    AMBIGUOUS = "ambiguous", "The request went out and no answer came back."
    INVALID_ADDRESS = "invalid_address", "The address does not exist."
    OPTED_OUT = "opted_out", "The recipient opted out at the provider."
    REJECTED = "rejected", "The provider refused the message itself."
    MISCONFIGURED = "misconfigured", "The credentials or the sender are not right."


class EventKind(Worded):
    """What happened to a delivery or a notification after acceptance (DeliveryEvent)."""

    SENT = "sent", "The provider passed it on."
    DEFERRED = "deferred", "The provider still tries."
    DELIVERED = "delivered", "The provider reported delivery."
    BOUNCED = "bounced", "The provider reported a permanent bounce."
    SOFT_BOUNCED = "soft_bounced", "The provider reported a temporary refusal."
    COMPLAINED = "complained", "The recipient reported it as unwanted."
    OPTED_OUT = "opted_out", "The recipient opted out."
    FAILED = "failed", "The provider reported failure."
    OPENED = "opened", "The recipient opened it."
    CLICKED = "clicked", "The recipient followed a link."
    SEEN = "seen", "The recipient saw it in the feed."
    READ = "read", "The recipient read it."
    ARCHIVED = "archived", "The recipient archived it."
    DISMISSED = "dismissed", "The recipient put it away."
    CANCELLED = "cancelled", "It was cancelled."
    RETRIED = "retried", "An operator asked for another try."
    GIVEN_UP = "given_up", "An operator gave it up."
    DEAD_LETTERED = "dead_lettered", "It was set aside for an operator."
    RESENT = "resent", "It was sent once more because the first attempt's fate is not known."
    FOUND = "found", "The provider was asked and has it."
    MISSING = "missing", "The provider was asked and does not have it."
    LEFT_IN_DOUBT = "left_in_doubt", "Its fate stays unknown and it is not sent again; a receipt may still settle it."
    FELL_BACK = "fell_back", "This channel gave up; the next one is tried."


# the code of an open or a click that a machine made: a mail program that fetches ahead, a scanner that follows links
MACHINE = "machine"


class ResendInDoubt(Worded):
    """What an event type says about a delivery in doubt (routing/doubting.py). Marketing is never sent again, whatever this says."""

    DEFAULT = "default", "As its category does."
    NEVER = "never", "It is never sent again by itself."
    ONCE = (
        "once",
        "It may be sent once more; an SMS that is not critical only when the provider says that it does not have it.",
    )


class DoubtMove(Worded):
    """What is planned for a delivery in doubt."""

    LOOK_UP = "look_up", "The provider is asked whether it has it."
    RESEND = "resend", "It is sent once more."
    NEXT_CHANNEL = "next_channel", "The next channel is tried."
    LEAVE = "leave", "Nothing more is done; a receipt may still settle it."


class WorkKind(StrEnum):
    """ROUTE, and FALLBACK for the next channel of a chain: decide. SEND; RESEND after a doubt: call a provider. DOUBT: settle one.
    PROOF: try the next channel unless this one has proved its arrival. FLUSH: sum up a bundle."""

    ROUTE = "route"
    SEND = "send"
    DOUBT = "doubt"
    RESEND = "resend"
    FALLBACK = "fallback"
    PROOF = "proof"
    FLUSH = "flush"


class WorkPhase(StrEnum):
    """READY may be claimed; CLAIMED has a lease and nothing was sent; CALLING may have been sent and is never claimable."""

    READY = "ready"
    CLAIMED = "claimed"
    CALLING = "calling"


class SuppressionReason(Worded):
    HARD_BOUNCE = "hard_bounce", "It bounced for good."
    COMPLAINT = "complaint", "Its owner reported a message as unwanted."
    OPTED_OUT = "opted_out", "Its owner opted out at the provider."
    SOFT_BOUNCE = "soft_bounce", "It refused message after message, for days."
    MANUAL = "manual", "It was added by hand."


class DigestFrequency(Worded):
    """How often a recipient wants a summary instead of single messages; at the recipient's own hour and weekday."""

    HOURLY = "hourly", "Once an hour."
    DAILY = "daily", "Once a day."
    WEEKLY = "weekly", "Once a week."


class CapPeriod(Worded):
    """What a frequency cap counts over."""

    ROLLING = "rolling", "Any stretch of time of that length."
    DAY = "day", "A calendar day in the recipient's time zone."
    WEEK = "week", "A calendar week, from Monday, in the recipient's time zone."


class GroupBy(Worded):
    """Which messages of an event type are summed up together."""

    OBJECT = "object", "Those about the same object."
    ACTOR = "actor", "Those of the same actor."
    TYPE = "type", "All of this type."


class DedupBy(Worded):
    """What makes two messages of an event type the same one, besides recipient and channel."""

    CONTENT = "content", "Actor, object, data and content."
    OBJECT = "object", "Actor and object, whatever the data."


class BundleKind(Worded):
    """Why messages wait together."""

    GROUP = "group", "The event type's grouping rule."
    DIGEST = "digest", "The recipient's digest choice."
    OVERFLOW = "overflow", "A frequency cap; the event type sends what is over it in a digest."
