"""The lecture, executable: each file stands alone, idea → formula → code → demonstration."""
