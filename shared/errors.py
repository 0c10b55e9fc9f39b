"""Failures, named for what happens next, and the registry that gives every reason a meaning and an action."""

from __future__ import annotations

from enum import Enum


class Reason(Enum):
    """Why a message ended as it did. The value's first part is a stable slug: also the name of the metric."""

    # Settled: nothing is left to do.
    WRITTEN = ("written", "The other side was brought into line.", "None.")
    UNCHANGED = ("unchanged", "Both sides already agree; nothing was written.", "None.")
    ALREADY_GONE = ("already_gone", "The row is gone and so is its record in Campaign.", "None.")
    STILL_THERE = ("still_there", "A message said deleted, but Dynamics still has the row.", "None: the row decides.")
    FILTERED_OUT = (
        "filtered_out",
        "The mapping's filters keep the row out; its record in Campaign is left as it is.",
        "None.",
    )
    DELETION_IGNORED = (
        "deletion_ignored",
        "The row is gone; the mapping says to leave its record in Campaign.",
        "None.",
    )
    GONE_UNWITNESSED = (
        "gone_unwitnessed",
        "Dynamics does not show the row, but no message says that it was deleted.",
        "None: a deletion needs two witnesses. If the row really is gone, its delete message will follow.",
    )
    NOT_MAPPED = ("not_mapped", "The record's table is no longer in the mapping.", "None.")
    REREAD = ("reread", "The row appeared or vanished while it was worked on; a new hint was sent.", "None.")
    NO_PROFILE = ("no_profile", "An opt-out for a contact that has no profile (yet).", "None: creation carries it.")
    FLAGS_REMEMBERED = ("flags_remembered", "A deleted contact's opt-out was noted in its tombstone.", "None.")
    OPT_OUTS_DISABLED = ("opt_outs_disabled", "The mapping declares no opt-out pairs.", "None.")
    RECORDED = ("recorded", "E-mail events are in the timeline.", "None.")
    ADMITTED = ("admitted", "An announcement from Dynamics became hints.", "None.")
    NOT_USED = ("not_used", "An announcement from Dynamics that changes nothing in Campaign.", "None.")
    NOT_SHOWN = ("not_shown", "E-mail events of kinds that the timeline does not show.", "None.")
    TOO_OLD = (
        "too_old",
        "An e-mail event's contact did not appear in Dynamics within the configured age.",
        "None, or raise EVENT_MAX_AGE_DAYS and replay the event's source.",
    )
    PAGE_DONE = ("page_done", "A page of a resync is done, and the next one is ordered.", "None.")
    PAGE_PASSED = ("page_passed", "A resync is beyond this page already.", "None.")
    RESYNC_STOPPED = ("resync_stopped", "A page of a resync that was paused, ended or resumed meanwhile.", "None.")

    # Retry: the same bytes come back later.
    PAGE_UNFINISHED = ("page_unfinished", "A page of a resync needs more time, or somebody else works on it.", "None.")
    CLAIMED = ("claimed", "Another worker holds the record's claim.", "None.")
    LEDGER_RACE = ("ledger_race", "Another worker changed the ledger row at the same moment.", "None.")
    PRIVACY_PENDING = (
        "privacy_pending",
        "A restored contact waits for the end of its earlier privacy request.",
        "If it lasts: confirm the request in Campaign's Privacy screen (2-step process).",
    )
    OUT_OF_TIME = ("out_of_time", "The claim would have run out before a write could be known to have ended.", "None.")
    OUTCOME_UNKNOWN = ("outcome_unknown", "A write got no answer; it is looked at again after its bound.", "None.")
    ROW_CHANGED = ("row_changed", "The Dynamics row changed while it was worked on.", "None.")
    CHANGED_JUST_NOW = (
        "changed_just_now",
        "An opt-out column would be overwritten, but a later word of it may still be on its way to the bridge.",
        "None: it is decided again two minutes later.",
    )
    CAMPAIGN_BUSY = ("campaign_busy", "Campaign or its gateway asks for patience (429, 503).", "None.")
    CAMPAIGN_UNREACHABLE = ("campaign_unreachable", "Campaign does not answer.", "If it lasts: check CAMPAIGN_URL.")
    DYNAMICS_BUSY = ("dynamics_busy", "Dataverse asks for patience (429, 503).", "None.")
    DYNAMICS_UNREACHABLE = ("dynamics_unreachable", "Dataverse does not answer.", "If it lasts: check DYNAMICS_URL.")
    LEDGER_UNREACHABLE = ("ledger_unreachable", "The storage account does not answer.", "If it lasts: check Storage.")
    JOURNAL_UNREACHABLE = (
        "journal_unreachable",
        "The opt-out journal's storage does not answer; without its entry no opt-out is settled.",
        "If it lasts: check Storage__blobServiceUri and the identity's role there.",
    )
    FILES_UNREACHABLE = (
        "files_unreachable",
        "A folder of files, or a file in it, cannot be reached, read or moved; the detail says which.",
        "Check its address (OPTOUT_FILES_URL, EVENT_FILES_URL), keys and rights there; `bridge doctor` tries them.",
    )
    BUDGET_SPENT = (
        "budget_spent",
        "The day's engine calls (CAMPAIGN_CALLS_PER_DAY) are spent; opt-outs and deletions still go.",
        "None: it goes on after midnight UTC. If it lasts for days: raise the budget.",
    )
    PARENT_MISSING = (
        "parent_missing",
        "A record waits for its parent, without which Campaign would hide it; the detail says why that is not there.",
        "None while it waits: the parent's storing releases it. Parked: bring the parent into Campaign, then replay.",
    )
    PARENT_BUSY = ("parent_busy", "The record's parent is being worked on.", "None.")
    CHILD_BUSY = ("child_busy", "A child of a record that is to go is being worked on.", "None.")
    CHILDREN_FIRST = (
        "children_first",
        "A record that is to go lets its children go first, for twice as long as a claim at most.",
        "None.",
    )
    HALVED = ("halved", "Dataverse did not answer to many e-mail events at once; they go on in halves.", "None.")
    NO_CONTACT = ("no_contact", "E-mail events of a contact that Dynamics does not have (yet).", "None.")

    # Park: a person must look.
    MALFORMED = ("malformed", "The message is not one of ours, or of a version that is not known.", "Show it; discard.")
    REFUSED_VALUE = (
        "refused_value",
        "Campaign refuses a value (enumeration, length, type).",
        "Correct the mapping or the value in Dynamics, then replay.",
    )
    VALUE_TOO_LONG = (
        "value_too_long",
        "A text is longer than its field in Campaign, and the mapping does not say to cut it.",
        "Shorten it in Dynamics, or say `too_long: truncate` in the field's row; then replay.",
    )
    REFUSED_FIELD = (
        "refused_field",
        "Campaign refuses a field (unknown or read-only).",
        "Correct the mapping, then replay.",
    )
    KEY_CHANGED = (
        "key_changed",
        "The column that is the record's key in Campaign has another value; Campaign cannot change a key.",
        "Delete the record under its former key in Campaign, or set the column back; then replay.",
    )
    HIDDEN = (
        "hidden",
        "Campaign has the record under a former parent that is gone, shows it to nobody and refuses a second one.",
        "Bring the former parent back, or make the link 0 or 1 for a while in Campaign; then replay.",
    )
    REFUSED_EMAIL = ("refused_email", "Campaign's data policy refuses the e-mail address.", "Correct it in Dynamics.")
    CAMPAIGN_REFUSED = (
        "campaign_refused",
        "Campaign refuses a request for a reason that is not classified.",
        "Read the code in the detail; correct the cause, then replay.",
    )
    DYNAMICS_REFUSED = ("dynamics_refused", "Dataverse refuses a write.", "Read the error code; then replay.")
    ACTIVITY_REFUSED = (
        "activity_refused",
        "Dataverse refuses one e-mail event's activity or task.",
        "Check the tables' columns, and the tasks' owner in TIMELINE_FILE; then replay.",
    )
    GAVE_UP = (
        "gave_up",
        "Retried for longer than RETRY_MAX_AGE_DAYS.",
        "Find the cause in the earlier reasons; replay.",
    )
    MAPPING_UNREADABLE = (
        "mapping_unreadable",
        "The mapping version in force cannot be read; the one that ran before stays.",
        "`bridge mapping history`, then roll back.",
    )
    WRONG_FILE = (
        "wrong_file",
        "A file in the opt-out folder is not an export of the agreed form; it goes to quarantine whole.",
        "Compare it with docs/flows/optout_file.md; export it again, or correct it where it lies.",
    )
    FILE_LATE = (
        "file_late",
        "No opt-out file was finished for longer than OPTOUT_FILE_LATE_HOURS.",
        "Look at the export workflow in Campaign and start it again; `bridge optouts files` shows what arrived.",
    )
    FILE_UNUSUAL = (
        "file_unusual",
        "An opt-out file has far more or far fewer rows than the last ones; it is worked on all the same.",
        "Look whether the export workflow was changed, or people were imported or opted out in bulk.",
    )
    FILE_CHANGED = (
        "file_changed",
        "An opt-out file changed after it was put away; it is back in the folder and is read as a new one.",
        "Raise OPTOUT_FILE_SETTLE_SECONDS, or let the export write a marker (OPTOUT_FILE_MARKER).",
    )
    FILES_QUOTA = (
        "files_quota",
        "The opt-out folder fills more than 80 % of OPTOUT_FILE_QUOTA_BYTES.",
        "Lower OPTOUT_FILE_KEEP_DAYS, clear the quarantine, or buy room: a full SFTP account stops Campaign's exports.",
    )
    JOURNAL_BROKEN = (
        "journal_broken",
        "A chain of the opt-out journal does not hold together: something was changed, cut or removed.",
        "`bridge optouts verify` names the place; find out who may write to the container.",
    )
    WRONG_LOG_FILE = (
        "wrong_log_file",
        "A log export file does not have the form that TIMELINE_FILE says; it is left where it could not go on.",
        "Compare its header and the line named with `log_files` there; it goes on once that is changed.",
    )
    OPT_OUT_OVERDUE = (
        "opt_out_overdue",
        "An opt-out is not in both systems, although the days that the mapping's regulation gives are over.",
        "Keep the contact out of mailings; the detail names the system that lacks it, `bridge explain` says why.",
    )
    TOKEN_REFUSED = (
        "token_refused",
        "Dynamics refuses a table's change-tracking token as too old; the sweep compares the whole table by itself.",
        "None, but find out why the sweep did not run for days; `bridge drift` shows how far it is.",
    )
    TOKEN_STALE = (
        "token_stale",
        "A table's change-tracking token is older than SWEEP_STALE_HOURS; Dynamics refuses it after seven days.",
        "`counted change_sweep_cut_short` in the log says what keeps the sweep from following.",
    )
    ANNOUNCEMENT_FAILED = (
        "announcement_failed",
        "Dynamics could not deliver an announcement and gave it up; the sweep finds the change itself.",
        "If there are many: look at the system jobs in Dynamics, and whether WEBHOOK_URL and its secret still hold.",
    )
    WRONG_EVENT_SHAPE = (
        "wrong_event_shape",
        "No event of a page of the journal has the form that TIMELINE_FILE says; the page is left where it is.",
        "Compare an event with `journal` there; it goes on once that is changed. Campaign keeps events for 7 days.",
    )
    EVENTS_LOST = (
        "events_lost",
        "The journal no longer keeps the events after the last position: those in between are lost to the timeline.",
        "Find out why `event_egress` was silent for so long; Campaign's delivery and tracking logs still hold them.",
    )
    EVENT_TOO_LARGE = (
        "event_too_large",
        "An e-mail event is larger than a message may be; it was left out.",
        "Look at the event in the journal by its id; shorten the tracked address in Campaign.",
    )

    # Halt: every message would fail alike.
    CAMPAIGN_CREDENTIALS = (
        "campaign_credentials",
        "Campaign refuses the credentials, also with a new token.",
        "Check CAMPAIGN_CLIENT_ID, CAMPAIGN_CLIENT_SECRET and the technical account's product profile.",
    )
    DYNAMICS_CREDENTIALS = (
        "dynamics_credentials",
        "Dataverse refuses the credentials or the application user's role.",
        "Check DYNAMICS_CLIENT_ID, DYNAMICS_CLIENT_SECRET and the security role.",
    )
    DELETE_LIMIT = (
        "delete_limit",
        "More deletions in an hour than the mapping allows; they wait.",
        "Find out who deletes. If it is meant, raise `deletes_per_hour` in the mapping.",
    )
    CAMPAIGN_MISCONFIGURED = (
        "campaign_misconfigured",
        "Campaign does not know the address or the organisation.",
        "Check CAMPAIGN_URL; the gateway says why in its answer's code.",
    )
    DYNAMICS_MISCONFIGURED = (
        "dynamics_misconfigured",
        "Dataverse does not know the address, the table or a mapped column.",
        "Check DYNAMICS_URL and the mapping's columns; the detail holds Dataverse's code.",
    )
    NOT_TRACKED = (
        "not_tracked",
        "A mapped table does not track its changes, so nothing finds what an announcement missed.",
        "Switch change tracking on for the table, or run `bridge provision dynamics`.",
    )
    TIMELINE_TABLES = (
        "timeline_tables",
        "Dataverse lacks a timeline table, a column of it, or its relationship to the contact; the detail says which.",
        "Compare TIMELINE_FILE with Dataverse, or run `bridge provision dynamics`.",
    )

    def __init__(self, slug: str, meaning: str, action: str) -> None:
        self.slug = slug
        self.meaning = meaning
        self.action = action


class Outcome(Exception):
    """The work on one message ended early. `detail` holds ids, field names and codes, never values.

    `after_s`: seconds to wait before the next try; None leaves it to the back-off.
    """

    def __init__(self, reason: Reason, detail: str = "", *, after_s: float | None = None) -> None:
        super().__init__(f"{reason.slug}: {detail}" if detail else reason.slug)
        self.reason = reason
        self.detail = detail
        self.after_s = after_s


class Retry(Outcome):
    """Nothing harmful was done; the same bytes come back later, by schedule, at no cost in delivery count."""


class RetryAsVerify(Retry):
    """A write's outcome is unknown: the message comes back as a verify hint, which trusts nothing."""


class Uncertain(Retry):
    """A write was sent and its answer is not known: it may have been applied, or be applied later."""


class Park(Outcome):
    """A person must look: the message waits in the `parked` queue with its reason."""


class Drop(Outcome):
    """Done: nothing is left to do."""


class Halt(Outcome):
    """Every message would fail alike: slow down and raise one alarm."""
