"""Campaigns of tenants. `notifications/bulk` stands in notifier/urls.py, before the ids of notifications."""

from django.urls import path

from apps.campaigns.api import operating, reporting, writing

_ONE = "campaigns/<str:campaign_id>"

urlpatterns = [
    path("campaigns", writing.Campaigns.as_view(), name="campaigns"),
    path(_ONE, writing.CampaignView.as_view(), name="campaign"),
    path(f"{_ONE}/launch", operating.CampaignLaunch.as_view(), name="campaign-launch"),
    path(f"{_ONE}/pause", operating.CampaignPause.as_view(), name="campaign-pause"),
    path(f"{_ONE}/resume", operating.CampaignResume.as_view(), name="campaign-resume"),
    path(f"{_ONE}/cancel", operating.CampaignCancel.as_view(), name="campaign-cancel"),
    path(f"{_ONE}/throttle", operating.CampaignThrottle.as_view(), name="campaign-throttle"),
    path(f"{_ONE}/winner", operating.CampaignWinner.as_view(), name="campaign-winner"),
    path(f"{_ONE}/submit", operating.CampaignSubmit.as_view(), name="campaign-submit"),
    path(f"{_ONE}/approve", operating.CampaignApprove.as_view(), name="campaign-approve"),
    path(f"{_ONE}/stats", reporting.CampaignStatsView.as_view(), name="campaign-stats"),
    path(f"{_ONE}/runs", reporting.CampaignRuns.as_view(), name="campaign-runs"),
    path(f"{_ONE}/check", reporting.CampaignCheckView.as_view(), name="campaign-check"),
    path(f"{_ONE}/cost", reporting.CampaignCost.as_view(), name="campaign-cost"),
    path("costs", reporting.Costs.as_view(), name="costs"),
]
