"""The flows, one module each; start reading here.

contact: a contact that exists → its profile. deletion: a contact that is gone → a privacy request.
optout: both sides' opt-outs → agreement. engagement: e-mail events → timeline activities.
Each has a pure `decide`; what it orders is performed by `shared/engine`.
"""
