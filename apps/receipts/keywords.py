"""What people write to be left alone, to be written to again, or to learn more. Only a text that is nothing but such a word counts.

Words as their languages write them; what is compared has no case, accents, points, or spaces too many. The first line is what
carriers and Twilio agree on (https://help.twilio.com/articles/223134027, CTIA Messaging Principles section 5.1.3).
"""

import unicodedata
from collections.abc import Mapping

STOP, START, HELP = "stop", "start", "help"
WORDS: Mapping[str, Mapping[str, str]] = {
    "en": {
        STOP: "stop, stopall, stop all, unsubscribe, cancel, end, quit, revoke, optout, opt out, opt-out, remove me",
        START: "start, yes, unstop, subscribe, resubscribe, opt in, opt-in, optin",
        HELP: "help, info",
    },
    "de": {
        STOP: "stopp, abmelden, abbestellen, austragen, abmeldung, ende, keine sms",
        START: "anmelden, starten, weiter",
        HELP: "hilfe",
    },
    "fr": {
        STOP: "arrêt, arrêter, désabonner, désinscrire, désabonnement, annuler",
        START: "démarrer, commencer, réabonner, oui",
        HELP: "aide",
    },
    "es": {
        STOP: "alto, parar, baja, cancelar, detener, no más",
        START: "alta, comenzar, empezar, iniciar, reanudar, sí",
        HELP: "ayuda",
    },
    "pt": {STOP: "parar, sair, cancelar, remover", START: "começar, iniciar, voltar, sim", HELP: "ajuda"},
    "it": {STOP: "ferma, basta, annulla, disiscrivi, cancellami", START: "inizia, avvia, riprendi", HELP: "aiuto"},
    "nl": {STOP: "stoppen, afmelden, uitschrijven", START: "aanmelden, hervatten", HELP: "hulp"},
    "pl": {STOP: "rezygnuję, wypisz, zatrzymaj", START: "wznów, zapisz", HELP: "pomoc"},
    "tr": {STOP: "dur, durdur, iptal, çıkış", START: "başla, başlat, devam", HELP: "yardım"},  # noqa: RUF001
    "ar": {STOP: "توقف, إيقاف, إلغاء, إلغاء الاشتراك, قف", START: "ابدأ, اشتراك, نعم", HELP: "مساعدة"},
    "he": {STOP: "הסר, עצור, הפסק", START: "התחל, הצטרף", HELP: "עזרה"},
    "ja": {STOP: "停止, 配信停止, 解除", START: "開始, 再開", HELP: "ヘルプ"},
    "zh": {STOP: "停止, 退订, 取消订阅, 退訂, 取消訂閱", START: "开始, 订阅, 開始, 訂閱", HELP: "帮助, 幫助"},
}
TATWEEL, DOTLESS_I = "\u0640", "\u0131"


def normalized(text: str) -> str:
    """` Arrêt!!` -> `arret`. Letters and digits without case and marks; everything else is a space, but for what is invisible."""
    folded = unicodedata.normalize("NFKD", unicodedata.normalize("NFKD", text).casefold())
    kept = (c for c in folded if unicodedata.category(c) not in {"Mn", "Cf"} and c != TATWEEL)
    return " ".join("".join(c if c.isalnum() else " " for c in kept).replace(DOTLESS_I, "i").split())


def keyword(text: str) -> str:
    """`stop`, `start`, `help`, or an empty string for any other text."""
    return _KEYWORDS.get(normalized(text), "")


_KEYWORDS: Mapping[str, str] = {
    normalized(word): meaning
    for words in WORDS.values()
    for meaning, listed in words.items()
    for word in listed.split(", ")
}
