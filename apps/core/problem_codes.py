"""Every error code of the API: HTTP status, title, meaning and fix. /docs/errors shows this table; codes are never renamed."""

from enum import StrEnum


class Code(StrEnum):
    """`status`: of the answer; `meaning`: one sentence; `fix`: what the caller can do."""

    status: int
    meaning: str
    fix: str

    def __new__(cls, value: str, status: int, meaning: str, fix: str) -> "Code":
        member = str.__new__(cls, value)
        member._value_ = value
        member.status, member.meaning, member.fix = status, meaning, fix
        return member

    INVALID_JSON = "invalid_json", 400, "The body is not valid JSON.", "Send one JSON object, UTF-8 encoded."
    VALIDATION_ERROR = (
        "validation_error",
        400,
        "Some fields are not valid.",
        "Read `errors`: each names its field by a JSON pointer and says what is expected there.",
    )
    WRONG_TYPE = "wrong_type", 400, "A field has the wrong type.", "Send the type that the schema names."
    UNKNOWN_FIELD = (
        "unknown_field",
        400,
        "A field is not known here.",
        "Check its spelling against the schema; unknown fields are refused so that a typo is never ignored.",
    )
    MISSING_FIELD = "missing_field", 400, "A required field is missing.", "Add the field."
    OUT_OF_RANGE = (
        "out_of_range",
        400,
        "A value is too long, too large or not allowed.",
        "Keep to the limits in the schema.",
    )
    NUL_BYTE = "nul_byte", 400, "A text contains a NUL character.", "Remove U+0000 from the text."
    TOO_DEEP = "too_deep", 400, "The JSON is nested too deeply.", "Nest at most 20 levels."
    BODY_TOO_LARGE = (
        "body_too_large",
        413,
        "The body is too large.",
        "Send at most 256 KiB, or 5 MiB to the batch endpoint.",
    )
    UNSUPPORTED_MEDIA_TYPE = (
        "unsupported_media_type",
        415,
        "The body is not JSON.",
        "Send `Content-Type: application/json`.",
    )
    UNAUTHENTICATED = (
        "unauthenticated",
        401,
        "The API key is missing or not valid.",
        "Send `Authorization: Bearer ntf_...` with a key that is neither expired nor revoked.",
    )
    ENGAGEMENT_UNPROVED = "engagement_unproved", 401, "Nothing proves whose it is.", "Send its `engagement_token`."
    INBOX_TOKEN_INVALID = (
        "inbox_token_invalid",
        401,
        "The inbox token is missing, expired or not valid.",
        "Let your backend make a new one with POST /v1/users/{user_id}/inbox-tokens, and send it as `Authorization: Bearer ...`.",
    )
    FORBIDDEN = "forbidden", 403, "The key may not do this.", "Use a key with the scope that `detail` names."
    NOT_FOUND = (
        "not_found",
        404,
        "There is no such thing.",
        "Check the id; ids of other tenants are not found either.",
    )
    METHOD_NOT_ALLOWED = (
        "method_not_allowed",
        405,
        "This method is not allowed here.",
        "See `Allow` for what is.",
    )
    CAMPAIGN_STATE = (
        "campaign_state",
        409,
        "That cannot be done with the campaign as it is now.",
        "`detail` says what it is now. Read it again, and see docs/campaigns.md for what may follow what.",
    )
    CAMPAIGN_NOT_READY = (
        "campaign_not_ready",
        409,
        "The campaign lacks something.",
        "Mend what `errors` names; each stands in the checklist of the campaign's page too.",
    )
    APPROVAL_NEEDED = (
        "approval_needed",
        409,
        "Somebody else must approve this campaign first.",
        "Ask for an approval on the campaign's page; approvals are for people, no key gives one.",
    )
    APPROVAL_VOID = (
        "approval_void",
        409,
        "What was approved is not what would be sent now.",
        "`detail` says what grew or changed. Ask for an approval again.",
    )
    OWN_WORK = (
        "own_work",
        403,
        "Nobody approves what they wrote themselves.",
        "Let somebody look at it who has not changed it since the last approval.",
    )
    OVER_BUDGET = (
        "over_budget",
        409,
        "It would cost more than its budget allows.",
        "Raise the budget, choose fewer people, or let the policy stop it at the cap instead.",
    )
    CONFLICT = (
        "conflict",
        409,
        "The thing is not in a state that allows this.",
        "Read it again and decide anew.",
    )
    STALE_VERSION = (
        "stale_version",
        409,
        "It was changed since you read it.",
        "Read it again, and send the version that you have then.",
    )
    THROTTLED = (
        "throttled",
        429,
        "Too many requests.",
        "Wait as long as `Retry-After` says, or use the batch endpoint.",
    )
    INTERNAL_ERROR = (
        "internal_error",
        500,
        "Something broke on our side.",
        "Try again with the same Idempotency-Key; give the request_id when you report it.",
    )
    UNAVAILABLE = (
        "unavailable",
        503,
        "The service cannot accept this right now.",
        "Nothing was stored. Try again with the same Idempotency-Key after `Retry-After` seconds.",
    )

    INVALID_CURSOR = (
        "invalid_cursor",
        400,
        "The cursor is not valid.",
        "Use `next_cursor` of the previous page unchanged.",
    )
    INVALID_EMAIL = (
        "invalid_email",
        400,
        "The email address is not valid.",
        "Send an address like name@example.com.",
    )
    INVALID_PHONE = (
        "invalid_phone",
        400,
        "The phone number is not valid.",
        "Send it in E.164 form, e.g. +4930123456.",
    )
    INVALID_TIMEZONE = (
        "invalid_timezone",
        400,
        "The time zone is not known.",
        "Send an IANA name, e.g. Europe/Berlin.",
    )
    INVALID_LOCALE = "invalid_locale", 400, "The locale is not valid.", "Send a BCP 47 tag, e.g. de-CH."
    INVALID_SUBSCRIPTION = (
        "invalid_subscription",
        400,
        "The web-push subscription is not valid.",
        "Send what PushManager.subscribe() returned: an https endpoint and the keys p256dh and auth.",
    )
    INVALID_ENDPOINT = (
        "invalid_endpoint",
        400,
        "The endpoint is not valid.",
        "Send kind and address as the schema says.",
    )

    INVALID_SEGMENT_RULE = (
        "invalid_segment_rule",
        400,
        "The rule is not one.",
        "Read `detail`: it says what the rule at `pointer` may be. docs/segments.md has all of them.",
    )
    UNKNOWN_RULE_FIELD = (
        "unknown_rule_field",
        400,
        "Rules cannot ask about that.",
        "GET /v1/segments/fields lists what rules can ask about.",
    )
    UNKNOWN_SEGMENT = "unknown_segment", 400, "A rule names a segment or list that there is not.", "Create it first."
    SEGMENT_ARCHIVED = (
        "segment_archived",
        400,
        "A rule names a segment or list that was archived.",
        "Name another one: what is archived is used no more.",
    )
    SEGMENT_CYCLE = (
        "segment_cycle",
        400,
        "A segment would be made of itself.",
        "Leave out the segment at `pointer`: following it leads back to where it began.",
    )
    INVALID_CSV = (
        "invalid_csv",
        400,
        "The file cannot be read as CSV.",
        "Correct it at `line` and `column`: a header row, one delimiter, as many cells in each row as in the header.",
    )
    INVALID_MAPPING = (
        "invalid_mapping",
        400,
        "The columns do not fit the fields.",
        "Map one column to `user_id`; each field and each attribute to one column at most.",
    )

    INVALID_TOPIC = (
        "invalid_topic",
        400,
        "The topic is not valid.",
        "Send an event type, a pattern like `order.*`, `category:` and a category, or `*`.",
    )
    UNKNOWN_USER = (
        "unknown_user",
        404,
        "This user_id is not known.",
        "Create the user with PUT /v1/users/{user_id}, or send `recipient` with addresses instead.",
    )
    UNKNOWN_EVENT_TYPE = (
        "unknown_event_type",
        404,
        "This event type is not known.",
        "Create it with PUT /v1/event-types/{key}, or check its spelling.",
    )
    UNKNOWN_TEMPLATE = (
        "unknown_template",
        404,
        "There is no published template with this key.",
        "Create and publish it, or check its spelling.",
    )
    NO_RECIPIENT = (
        "no_recipient",
        400,
        "No recipient is named.",
        "Send exactly one of `user_id`, `recipient` and `recipients`.",
    )
    NO_CONTENT = (
        "no_content",
        400,
        "Nothing says what to send.",
        "Send an `event_type` with a template, or `category` with `template_id` or `message`.",
    )
    CONTRADICTION = "contradiction", 400, "Two fields contradict each other.", "Send only one of them."
    SCHEDULE_IN_PAST = (
        "schedule_in_past",
        400,
        "`schedule_at` is in the past.",
        "Send a future time, or leave it out.",
    )
    EXPIRY_IN_PAST = (
        "expiry_in_past",
        400,
        "`expiry_at` is in the past.",
        "Send a future time, or leave it out.",
    )
    EXPIRY_BEFORE_SCHEDULE = (
        "expiry_before_schedule",
        400,
        "`expiry_at` is not after `schedule_at`.",
        "Let it expire after it is due.",
    )
    SCHEDULE_TOO_FAR = (
        "schedule_too_far",
        400,
        "`schedule_at` is too far away.",
        "Schedule at most 366 days ahead.",
    )
    INVALID_RULE = (
        "invalid_rule",
        400,
        "The recurrence rule is not valid.",
        "Send a rule of RFC 5545, e.g. FREQ=WEEKLY;BYDAY=MO,FR.",
    )
    UNSUPPORTED_RULE = (
        "unsupported_rule",
        400,
        "A part of the recurrence rule is not supported.",
        "Leave out what `detail` names; a schedule fires at most once a minute.",
    )
    RULE_NEVER_FIRES = (
        "rule_never_fires",
        400,
        "This never fires.",
        "Check the rule and its exceptions: no day or time meets all of them.",
    )
    IDEMPOTENCY_KEY_REQUIRED = (
        "idempotency_key_required",
        400,
        "This API key requires an Idempotency-Key.",
        "Send the header `Idempotency-Key` with an id of the thing you notify about.",
    )
    IDEMPOTENCY_KEY_INVALID = (
        "idempotency_key_invalid",
        400,
        "The Idempotency-Key is not valid.",
        "Send 1 to 255 printable ASCII characters.",
    )
    IDEMPOTENCY_KEY_REUSED = (
        "idempotency_key_reused",
        422,
        "This Idempotency-Key was used for another request.",
        "Use a new key for a new request; the same key only to repeat the same body.",
    )
    IDEMPOTENCY_IN_PROGRESS = (
        "idempotency_in_progress",
        409,
        "The first request with this Idempotency-Key is still running.",
        "Try again after `Retry-After` seconds.",
    )
    ALREADY_FINAL = "already_final", 409, "It is already over.", "Nothing is left to cancel."
    NOT_RETRYABLE = (
        "not_retryable",
        409,
        "Nothing here can be retried.",
        "Only failed deliveries can; those in doubt need `may_duplicate: true`.",
    )
    TEMPLATE_INVALID = (
        "template_invalid",
        422,
        "The template does not render.",
        "Read `errors`: each names channel, locale, field, line and column.",
    )
    NO_TEMPLATE = (
        "no_template",
        422,
        "A channel or locale has no content.",
        'Add a variant for it, or one for everyone (`""`).',
    )
    SYNTAX_ERROR = "syntax_error", 422, "A Liquid tag cannot be read.", "Correct the tag at `line` and `column`."
    STRAY_BRACES = (
        "stray_braces",
        422,
        "Braces of Liquid are not closed, or close nothing.",
        "Write `{{ name }}` and `{% tag %}` with both ends. Braces never reach a reader.",
    )
    MISSING_DATA = (
        "missing_data",
        422,
        "The data has no such value.",
        "Add it to the sample, or say what stands in: `{{ data.name | default: 'there' }}`.",
    )
    WRONG_VALUE = (
        "wrong_value",
        422,
        "A value cannot be used like this.",
        "Give the filter what it needs, e.g. a number to `currency`.",
    )
    LIMIT_EXCEEDED = (
        "limit_exceeded",
        422,
        "The template asks for too much work.",
        "Loop less: 10,000 times in all, 500,000 characters of output.",
    )
    EMPTY = "empty", 422, "A required field is empty.", "Fill it in."
    TOO_LONG = (
        "too_long",
        422,
        "A text is longer than its channel takes.",
        "Shorten it: 10 SMS segments, 3700 bytes of push, 255 characters of subject.",
    )
    UNSAFE_LINK = "unsafe_link", 422, "A link would run code.", "Link to https, or to your app's own scheme."
    INVALID_MARKUP = (
        "invalid_markup",
        422,
        "The HTML or MJML cannot be built into a mail.",
        "Correct it at `line` and `column`; in tables, Liquid stands around whole rows or inside cells.",
    )
    LAYOUT = (
        "layout",
        422,
        "A layout and its templates do not fit together.",
        "A layout's html has `{{ content }}` once; a template that wears one has no document of its own.",
    )
    CRITICAL_NEEDS_REASON = (
        "critical_needs_reason",
        422,
        "A critical event type needs a reason and an owner.",
        "Send `critical_reason` and `owner`; somebody else approves it then.",
    )
    CRITICAL_NOT_APPROVED = (
        "critical_not_approved",
        403,
        "Nobody has approved that this is critical.",
        "Name an approved critical event type, or use a key with the scope `notifications:critical`.",
    )
    CRITICAL_OWN_REQUEST = (
        "critical_own_request",
        409,
        "Who asked for it cannot approve it.",
        "Somebody else approves it: another API key, or an operator in the admin.",
    )
    NOTHING_TO_APPROVE = (
        "nothing_to_approve",
        409,
        "Nobody has asked for this event type to be critical, or it is approved.",
        "Ask for it first: PUT it with the category `critical`, a reason and an owner.",
    )
    NOTHING_TO_PUBLISH = "nothing_to_publish", 409, "There is no draft to publish.", "Save a draft first."
    NOTHING_STAGED = (
        "nothing_staged",
        409,
        "No version of this template is being rolled out.",
        "Publish a draft with a `share` below 100 first.",
    )
    GATE_BREAKS = (
        "gate_breaks",
        422,
        "This version breaks messages like those that were sent lately.",
        "Read `errors`: each names a message, channel, locale, field, line and column. Correct the draft.",
    )
    CHANGES_NOT_SEEN = (
        "changes_not_seen",
        409,
        "This version changes what messages say, and nobody has looked at it yet.",
        "POST /v1/templates/{key}/check, look at the changes, and publish with the `seen` of its answer.",
    )
    SIGNATURE_INVALID = (
        "signature_invalid",
        401,
        "The signature is not valid.",
        "Sign the raw body with the account's secret.",
    )
    WEBHOOK_URL_REFUSED = "webhook_url_refused", 400, "This URL cannot be called.", "Use https and a public address."
    WEBHOOK_OFF = "webhook_off", 409, "This webhook endpoint is off.", 'Switch it on: PATCH it with `{"on": true}`.'
