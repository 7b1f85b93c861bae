"""The paths are those that preferences/links.py writes into messages."""

from django.urls import path, re_path

from apps.pages import histories, own_data, showing, unsubscribing, verifying, viewing, views, what_if

urlpatterns = [
    path("preferences/", views.entrance, name="recipient-entrance"),
    re_path(r"^preferences/brand/(?P<color>[0-9a-f]{6})\.css$", showing.brand_colors, name="brand-colors"),
    path("preferences/<str:key>/", views.settings, name="recipient-settings"),
    path("preferences/<str:key>/change", views.change, name="recipient-change"),
    path("preferences/<str:key>/messages/", histories.messages, name="recipient-messages"),
    path("preferences/<str:key>/messages/<str:message_id>", histories.message, name="recipient-message"),
    path(f"preferences/<str:key>/{what_if.PATH}", what_if.would_i_get_it, name="recipient-what-if"),
    path("preferences/<str:key>/data.json", own_data.export, name="recipient-data"),
    path("preferences/<str:key>/delete", own_data.delete, name="recipient-delete"),
    path("unsubscribe/<str:token>", unsubscribing.unsubscribe, name="unsubscribe"),
    path("verify/<str:token>", verifying.page, name="verify-address"),
    path("view/<str:token>", viewing.view, name="view-in-browser"),
]
