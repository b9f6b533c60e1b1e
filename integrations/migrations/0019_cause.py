"""Stores the cause of each failure that needs a person, so that they are counted and grouped along an index."""

import re

from django.db import migrations, models
from django.db.models import OuterRef, Subquery

# As integrations.models.job has it.
_PARTICULAR = re.compile(r"""'[^']*'|"[^"]*"|“[^”]*”|\b\w*\d\w*""")
_LENGTH = 300
_CHUNK = 1000


def store_causes(apps, schema_editor):
    jobs = apps.get_model("integrations", "SyncJob").objects
    of_entity = jobs.filter(
        kind=OuterRef("kind"), entity_id=OuterRef("entity_id"), connection=OuterRef("connection")
    ).order_by("-pk")
    latest = jobs.filter(state="FAILED", pk__gte=Subquery(of_entity.values("pk")[:1])).order_by("pk")
    done = 0
    while found := list(latest.filter(pk__gt=done).only("pk", "reason")[:_CHUNK]):
        for job in found:
            job.cause = _PARTICULAR.sub("…", job.reason)[:_LENGTH] or "It was not said why."
        jobs.bulk_update(found, ["cause"])
        done = found[-1].pk


class AddIndex(migrations.AddIndex):
    """Lets the table be written to while PostgreSQL builds the index."""

    def database_forwards(self, app_label, schema_editor, from_state, to_state):
        if schema_editor.connection.vendor != "postgresql":
            super().database_forwards(app_label, schema_editor, from_state, to_state)
            return
        model = to_state.apps.get_model(app_label, self.model_name)
        schema_editor.add_index(model, self.index, concurrently=True)


_PROBLEM = models.Q(("cause", ""), _negated=True)


class Migration(migrations.Migration):
    atomic = False

    dependencies = [("integrations", "0018_changed_there")]

    operations = [
        migrations.AddField(
            model_name="syncjob",
            name="cause",
            field=models.CharField(blank=True, default="", help_text="What is general in its reason, while it needs a person.", max_length=300),
        ),
        migrations.RunPython(store_causes, migrations.RunPython.noop),
        AddIndex(
            model_name="syncjob",
            index=models.Index(condition=_PROBLEM, fields=["connection", "id"], name="job_problem"),
        ),
        AddIndex(
            model_name="syncjob",
            index=models.Index(condition=_PROBLEM, fields=["connection", "kind", "id"], name="job_problem_of_kind"),
        ),
        AddIndex(
            model_name="syncjob",
            index=models.Index(condition=_PROBLEM, fields=["connection", "cause", "id", "kind"], name="job_problem_by_cause"),
        ),
        AddIndex(
            model_name="syncjob",
            index=models.Index(condition=_PROBLEM, fields=["connection", "kind", "entity_id"], name="job_problem_of_entity"),
        ),
    ]
