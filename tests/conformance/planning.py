"""What the tool plans and does of one manifest, wherever that is applied."""

import json


class Pipeline:
    """A pipeline; `run(verb, *flags, ends=0)` of who inherits from it runs the tool on its manifest."""

    def plan(self):
        """The plan, as JSON. That it ends with 2 where there are changes, and else with 0, is seen on the way."""
        ended = self.run("plan", "--format", "json", "--detailed-exitcode", ends=None)
        plan = json.loads(ended.stdout)
        assert "steps" in plan, plan
        assert ended.returncode == (2 if plan["steps"] else 0), ended.stderr
        return plan

    def planned(self):
        """What the next apply would do: {"create role/x", …}."""
        return {f"{step['action']} {step['address']}" for step in self.plan()["steps"]}

    def changes(self):
        """The fields that the next apply would change."""
        return {change["field"] for step in self.plan()["steps"] for change in step.get("changes", [])}

    def apply(self):
        self.run("apply", "--yes")

    def settle(self):
        """Applies what the plan has, after which there is nothing to do."""
        assert self.planned()
        self.apply()
        assert not self.planned()


def ran(ended, verb, ends):
    """A run of the tool that has ended, if with that code, or with any where that is none."""
    told = f"{verb} ended with {ended.returncode}\n{ended.stdout}\n{ended.stderr}"
    assert ends is None or ended.returncode == ends, told
    return ended
