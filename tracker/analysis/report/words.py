"""What the report says, in English and Chinese."""

from __future__ import annotations

from ...errors import OptionError
from ...settings.checks import shown

LANGUAGES = ("en", "zh")

# key: English, Chinese; {} are filled in
_WORDS = {
    "title": ("Who was seen: {name}", "人流报告：{name}"),
    "period": ("{length} from {begin} to {end}", "{begin} 至 {end}，共 {length}"),
    "length_only": ("{length} of recording", "录像时长 {length}"),
    "people": ("people", "人"),
    "people_note": (
        "numbers given; who comes back after a long time may have a second one",
        "编号数量；离开较久后返回的人可能得到新编号",
    ),
    "likely": ("likely {low} to {high}", "可能在 {low} 到 {high} 之间"),
    "warning": ("Note: {text}", "注意：{text}"),
    "scene": ("The scene", "场景"),
    "scene_note": (
        "Lines are yellow, with an arrow for the first of their two directions; zones are blue, regions left out grey.",
        "黄色为计数线，箭头指向其第一个方向；蓝色为区域，灰色为忽略的区域。",
    ),
    "counts": ("Counts over time", "随时间的计数"),
    "counts_note": (
        "Each bar is {interval}. Upwards {in_name}, downwards {out_name}.",
        "每条代表 {interval}。向上：{in_name}；向下：{out_name}。",
    ),
    "nobody": ("Nobody crossed this line.", "无人越过此线。"),
    "no_lines": ("The scene has no lines to count at.", "场景中没有计数线。"),
    "zones": ("Zones", "区域"),
    "zone": ("zone", "区域"),
    "visits_count": ("visits", "停留次数"),
    "mean_inside": ("people inside, mean", "区域内平均人数"),
    "max_inside": ("greatest", "最多"),
    "dwell_median": ("stay, median", "停留时间中位数"),
    "dwell_longest": ("longest", "最长"),
    "wait": ("expected wait", "预计等待"),
    "visits": ("Visits", "停留记录"),
    "id": ("person", "编号"),
    "entered": ("from", "进入"),
    "left": ("to", "离开"),
    "dwell": ("stay", "停留"),
    "still_there": ("still there at the end", "结束时仍在"),
    "some_of": ("{shown} of {all}; all are in {file}.", "显示 {all} 条中的 {shown} 条；全部见 {file}。"),
    "heat": ("Where people stood and walked", "人们停留和行走的位置"),
    "heat_time": (
        "Time: person-seconds in each cell of {cell} x {cell} pixels",
        "时间：每个 {cell} x {cell} 像素格内的人·秒",
    ),
    "heat_people": ("People: how many came by, each counted once a place", "人数：经过的人数，每人每处只计一次"),
    "heat_flow": ("Flow: the mean direction of walking", "流向：平均行走方向"),
    "sheet": ("Contact sheet", "人物一览"),
    "sheet_note": (
        "The best picture of each person, with the time in sight.",
        "每个人最清楚的一张图片及其可见时间。",
    ),
    "suspects": ("Numbers to check", "待核对的编号"),
    "suspects_note": (
        "Where a number may be wrong, and the line of edits.yml that would correct it. Look at the video there, then "
        "run the analysis again with --edits edits.yml.",
        "编号可能有误之处，以及可更正它的 edits.yml 行。请先查看视频，再用 --edits edits.yml 重新分析。",
    ),
    "suspect_found": ("{id} may be {other}, who was lost shortly before", "{id} 可能就是不久前丢失的 {other}"),
    "suspect_jumped": ("{id} jumps, and may be somebody else from here on", "{id} 发生跳跃，此后可能是另一人"),
    "suspect_short": ("{id} is seen for a moment only, and may be nobody", "{id} 只出现片刻，可能不是人"),
    "proof": ("Proof sheet", "核对表"),
    "proof_note": (
        "Every crossing with the person before, on and after the line; the red dot is the foot that counts. Tick "
        "whether the count was right: the precision for this camera comes out below.",
        "每次越线的三张图：越线前、线上、越线后；红点是用于计数的脚部位置。勾选计数是否正确，下方即得出此摄像机的精确率。",
    ),
    "right": ("right", "正确"),
    "wrong": ("wrong", "错误"),
    "certainty": ("certainty {percent} %", "把握 {percent} %"),
    "rest_right": ("All others are right", "其余均正确"),
    "clear": ("Clear all ticks", "清除勾选"),
    "precision": ("Precision on this camera", "此摄像机的精确率"),
    "precision_none": ("nothing ticked yet", "尚未勾选"),
    "precision_some": (
        "%p % of %n checked are right (likely between %l and %h %)",
        "已核对 %n 次，其中 %p % 正确（可能在 %l % 到 %h % 之间）",
    ),
    "precision_print": (
        "On paper: right, divided by right and wrong together.",
        "纸面计算：正确数除以正确与错误之和。",
    ),
    "precision_limit": (
        "Who was missed altogether is on no picture: for that, count a minute of the video by eye.",
        "完全漏检的人不会出现在图片中：如需了解，请人工数一分钟录像。",
    ),
    "no_proof": ("Nobody crossed a line.", "无人越线。"),
    "no_pictures": (
        "Pictures need the video, which was not given: {command}",
        "图片需要录像，但未提供：{command}",
    ),
    "health": ("Health of the video", "录像质量"),
    "health_small": ("boxes lower than {pixels} pixels", "高度不足 {pixels} 像素的框"),
    "health_small_hint": ("bring the camera nearer, or use the full model", "将摄像机移近，或使用 full 模型"),
    "health_cut": ("boxes cut off by the border", "被画面边缘截断的框"),
    "health_cut_hint": ("turn the camera so that people are seen whole", "调整摄像机，使人完整可见"),
    "health_dark": ("people in the dark", "处于暗处的人"),
    "health_dark_hint": ("more light, or a longer exposure", "增加照明或延长曝光"),
    "health_dark_unknown": ("not known without the video", "没有录像无法得知"),
    "health_switches": ("numbers likely lost for another, at most", "编号可能中断并更换的次数，最多"),
    "health_switches_value": ("{count}, {rate} a minute", "{count} 次，每分钟 {rate} 次"),
    "health_switches_hint": (
        "--refine joins tracks; obstacles in the midst of the picture cost numbers",
        "--refine 可以连接轨迹；画面中央的遮挡物会使编号中断",
    ),
    "good": ("good", "良好"),
    "settings": ("Settings and versions", "设置与版本"),
    "no_run": ("Not known: there is no {file} beside the text.", "未知：文本旁没有 {file}。"),
    "made_of": ("made of", "来源"),
    "minutes": ("{n} min", "{n} 分钟"),
    "seconds": ("{n} s", "{n} 秒"),
    "hours": ("{n} h", "{n} 小时"),
}


class Words:
    """The words of one language.

    Args:
        language: one of `LANGUAGES`.

    Raises:
        OptionError: it is none of them.
    """

    def __init__(self, language: str) -> None:
        self.language = check_language(language)
        self._at = LANGUAGES.index(language)

    def __call__(self, key: str, **values: object) -> str:
        """Return what the report says for a key, as plain text."""
        return _WORDS[key][self._at].format(**values) if values else _WORDS[key][self._at]

    def length(self, seconds: float) -> str:
        """Return a length of time such as ``1 h 5 min``."""
        if seconds < 120:
            return self("seconds", n=f"{seconds:.3g}" if seconds < 99.5 else f"{seconds:.0f}")
        minutes = round(seconds / 60)
        parts = [self("hours", n=minutes // 60)] if minutes >= 60 else []
        return " ".join([*parts, *([self("minutes", n=minutes % 60)] if minutes % 60 else [])])


def check_language(language: str) -> str:
    """Check that there are words in a language.

    Raises:
        OptionError: there are none.
    """
    if language not in LANGUAGES:
        raise OptionError(f"language must be {' or '.join(LANGUAGES)}, not {shown(language)}")
    return language
